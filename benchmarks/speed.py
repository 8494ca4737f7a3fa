"""Speed and memory of limner's networks, as fractions of the matrix-multiplication rate measured in the same process.

    python benchmarks/speed.py            # all rows, each in its own process
    python benchmarks/speed.py --row train-64
    python benchmarks/speed.py --data faces.zip   # the rows of metrics, too: 8,192 pictures of 64 pixels or more

Work is counted as the multiplications and additions of direct convolution (2 per tap; in StyleGAN2 a convolution that
upsamples counts its taps per input pixel, in ProGAN and StyleGAN one beside a nearest-neighbour doubling or a halving
counts them per pixel of the larger picture), so a rate above sgemm is possible: the convolution kernels do not run
through it, and merged kernels do less. Cost of an iteration in units of a forward pass per image: StyleGAN2 D = G + 6
D, G = 3 G + 2 D, R1 = 6 D every 16 iterations, path length = 6 G on half the batch every 4; StyleGAN D = G + 9 D (R1 in
every step); ProGAN D = G + 12 D (gradient penalty between the pictures). A step of an inversion is 2 G: forward, and
backward to W+ alone, the weights being frozen. Timings are the least of several runs, interleaved with sgemm. Absolute
times on a shared machine mean little; compare fractions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from limner import registry, runtime
from limner.data import open_dataset
from limner.inversion import in_domain
from limner.inversion.base import frozen
from limner.inversion.engine.terms import load_network
from limner.metrics import runner
from limner.metrics.engine.collecting import Team, collect
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.engine.statistics import Moments
from limner.papers.base import Batch, ObjectiveContext
from limner.papers.idinvert import Encoder, EncoderConfig
from limner.training.draws import SharedDraws

TRAIN_ROWS = {
    "train-64": ("stylegan2", 64, 128, 16, 0.60),
    "train-32-wide": ("stylegan2", 32, 512, 16, 0.80),
    "train-64-stylegan": ("stylegan", 64, 128, 16, 0.50),
    "train-64-progan": ("progan", 64, 128, 16, 0.50),
}
"""Name -> room, resolution, channel_max, batch, wanted fraction of sgemm."""
SYNTHESIS_ROWS = {
    "synthesis-256": ("stylegan2", 256, 16384, 8, 0.70),
    "synthesis-1024": ("stylegan2", 1024, 32768, 1, 0.50),
    "synthesis-256-stylegan": ("stylegan", 256, 16384, 8, 0.60),
    "synthesis-256-progan": ("progan", 256, 16384, 8, 0.60),
}
"""Name -> room, resolution, channel_base, batch, wanted fraction of sgemm."""
INVERSION_ROWS = {
    "invert-64": ("stylegan2", 64, 128, 1, 0.30),
    "invert-64-batch-8": ("stylegan2", 64, 128, 8, 0.50),
    "invert-64-stylegan": ("stylegan", 64, 128, 1, 0.30),
    "invert-64-stylegan-batch-8": ("stylegan", 64, 128, 8, 0.50),
}
"""Name -> room, resolution, channel_max, batch, wanted fraction of sgemm."""
MEMORY_LIMIT_MB = 900


def widths(config: Any) -> list[int]:
    """Channels of every level, from the base grid up."""
    levels = config.img_resolution[0].bit_length() - 2
    return [max(min(config.channel_base // (4 * 2**level), config.channel_max), 1) for level in range(levels)]


def generator_flops(room: str, config: Any) -> float:
    """Direct-convolution operations of one synthesis."""
    total, channels = 0.0, widths(config)
    for level, width in enumerate(channels):
        pixels = (4 * 2**level) ** 2
        if level:
            total += 2 * 9 * channels[level - 1] * width * (pixels / 4 if room == "stylegan2" else pixels)
        if level or room != "progan":
            total += 2 * 9 * width**2 * pixels
        if room == "stylegan2" or level == len(channels) - 1:
            total += 2 * width * config.img_channels * pixels
    return total


def discriminator_flops(room: str, config: Any) -> float:
    """Direct-convolution operations of one discriminator."""
    channels = widths(config)
    total = 2.0 * config.img_channels * channels[-1] * config.img_resolution[0] ** 2
    for level in range(len(channels) - 1, 0, -1):
        pixels, width, below = (4 * 2**level) ** 2, channels[level], channels[level - 1]
        total += 2 * 9 * width**2 * pixels
        total += 2 * 10 * width * below * pixels / 4 if room == "stylegan2" else 2 * 9 * width * below * pixels
    return total + 2 * 9 * (channels[0] + 1) * channels[0] * 16 + 2 * channels[0] ** 2 * 16


def phase_work(room: str, g: float, d: float) -> dict[str, float]:
    """Operations of every phase, from those of a forward pass of G and D (see the module)."""
    main = {"G": 3 * g + 2 * d}
    if room == "stylegan2":
        return {**main, "D": g + 6 * d, "G_pl": 6 * g / 2, "D_r1": 6 * d}
    return {**main, "D": g + (9 if room == "stylegan" else 12) * d}


def least_seconds(run: Callable[[], object], repeats: int) -> float:
    """Least wall time of `run` over `repeats` runs, seconds."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def sgemm_rate(repeats: int = 5) -> float:
    """Operations per second of a 2048 x 2048 matrix product."""
    matrix = torch.randn(2048, 2048)
    return 2 * 2048**3 / least_seconds(lambda: matrix @ matrix, repeats)


def measure_training(name: str, resolution: int, channel_max: int, batch: int, rounds: int) -> dict[str, float]:
    """Time every phase and combine them by their intervals."""
    bare = runtime.current_memory_mb()
    room = registry.get("papers", name)
    shape = {"img_resolution": (resolution, resolution), "channel_max": channel_max}
    g_config, d_config = room.GeneratorConfig(**shape), room.DiscriminatorConfig(**shape)
    G, D = room.Generator(g_config), room.Discriminator(d_config)
    objective = room.Objective(room.ObjectiveConfig(), G, D, ObjectiveContext())
    modules = {"G": G, "D": D}
    optimizers = {
        name: torch.optim.Adam(module.parameters(), lr=0.002, betas=(0.0, 0.99), fused=True)
        for name, module in modules.items()
    }
    images, rng = torch.randn(batch, 3, resolution, resolution), torch.Generator().manual_seed(0)
    phases = objective.phases()

    def step(phase) -> None:
        for name, module in modules.items():
            module.requires_grad_(name == phase.module)
        optimizers[phase.module].zero_grad()
        phase.loss(Batch(images, None, SharedDraws(rng, batch=batch)))["loss"].backward()
        optimizers[phase.module].step()

    seconds = {phase.name: float("inf") for phase in phases}
    for phase in phases:
        step(phase)
    peak = runtime.peak_memory_mb() - bare
    rate = 0.0
    for _ in range(rounds):
        rate = max(rate, sgemm_rate(3))
        for phase in phases:
            seconds[phase.name] = min(seconds[phase.name], least_seconds(lambda phase=phase: step(phase), 1))
    work = phase_work(name, generator_flops(name, g_config) * batch, discriminator_flops(name, d_config) * batch)
    weights = {phase.name: 1 / phase.interval for phase in phases}
    iteration = sum(seconds[name] * weight for name, weight in weights.items())
    result = {
        "fraction": sum(work[name] * weight for name, weight in weights.items()) / iteration / rate,
        "images_per_sec": batch / iteration,
        "sgemm_gflops": rate / 1e9,
        "peak_mb": peak,
    }
    return result | {f"share_{name}": seconds[name] * weight / iteration for name, weight in weights.items()}


def measure_synthesis(name: str, resolution: int, channel_base: int, batch: int, rounds: int) -> dict[str, float]:
    """Time the synthesis network without gradients."""
    bare = runtime.current_memory_mb()
    room = registry.get("papers", name)
    config = room.GeneratorConfig(img_resolution=(resolution, resolution), channel_base=channel_base)
    G = room.Generator(config).eval().requires_grad_(False)
    ws = G.mapping(torch.randn(batch, G.z_dim))
    G.synthesis(ws)
    peak = runtime.peak_memory_mb() - bare
    seconds, rate = float("inf"), 0.0
    for _ in range(rounds):
        rate = max(rate, sgemm_rate(3))
        seconds = min(seconds, least_seconds(lambda: G.synthesis(ws), 1))
    return {
        "fraction": generator_flops(name, config) * batch / seconds / rate,
        "images_per_sec": batch / seconds,
        "sgemm_gflops": rate / 1e9,
        "peak_mb": peak,
    }


def measure_inversion(name: str, resolution: int, channel_max: int, batch: int, rounds: int) -> dict[str, float]:
    """Time a step of an optimisation of ws: the pictures, and the gradient of their squared error."""
    bare = runtime.current_memory_mb()
    room = registry.get("papers", name)
    config = room.GeneratorConfig(img_resolution=(resolution, resolution), channel_max=channel_max)
    G = room.Generator(config)
    ws = G.mapping(torch.randn(batch, G.z_dim)).detach().requires_grad_()
    wanted = torch.randn(batch, 3, resolution, resolution)

    def step() -> None:
        ws.grad = None
        (G.synthesis(ws) - wanted).square().mean((1, 2, 3)).sum().backward()

    seconds, rate = float("inf"), 0.0
    with frozen(G):
        step()
        peak = runtime.peak_memory_mb() - bare
        for _ in range(rounds):
            rate = max(rate, sgemm_rate(3))
            seconds = min(seconds, least_seconds(step, 3))
    return {
        "fraction": 2 * generator_flops(name, config) * batch / seconds / rate,
        "images_per_sec": batch / seconds,
        "sgemm_gflops": rate / 1e9,
        "peak_mb": peak,
    }


Lines = list[tuple[str, float, str, float]]
"""What was measured, its value, its unit, and the most that is wanted."""


def untrained(resolution: int = 64) -> Any:
    """A StyleGAN2 generator of channel_max 128."""
    room = registry.get("papers", "stylegan2")
    return room.Generator(room.GeneratorConfig(img_resolution=(resolution, resolution), channel_max=128))


def measure_in_domain(data: str | None) -> Lines:
    """Time in-domain inversion of one picture with its defaults, an encoder as wide as `idinvert-tiny`'s."""
    G = untrained()
    config = EncoderConfig(
        img_resolution=G.img_resolution,
        z_dim=G.z_dim,
        w_dim=G.w_dim,
        num_ws=G.num_ws,
        channels=32,
        channel_max=128,
        head_channels=32,
        norm="group",
        code_norm=False,
        from_average=True,
    )
    network = load_network("auto", "cpu")
    method = in_domain.Method(in_domain.Config(), encoder=Encoder(config), perceptual=network)
    picture = torch.rand(1, 3, *G.img_resolution) * 2 - 1
    seconds = least_seconds(lambda: method.invert(G, picture), 1)
    return [(f"{method.config.steps} steps with {network.name if network else 'pixels'}", seconds, "s", 15)]


def measure_features(data: str, count: int = 512) -> Lines:
    """Time what surrounds the network: reading, resizing, sums, against the network on pictures in memory."""
    networks, statistic = Networks(), Moments(count=count, extractor="lite0", output="pool")
    network = networks.get("lite0")
    bare = whole = float("inf")
    with closing(open_dataset(data, resolution=(64, 64))) as dataset:
        source = DatasetPictures(dataset)
        batches = source.pictures(range(count)).split(Team().batch)
        network(batches[0])
        for _ in range(3):
            bare = min(bare, least_seconds(lambda: [network(images) for images in batches], 1))
            whole = min(whole, least_seconds(lambda: collect(source, [statistic], networks, Team()), 1))
    return [
        (f"lite0, {count} pictures in memory", bare, "s", float("inf")),
        ("read, resized, looked at, summed", whole, "s", 1.15 * bare),
    ]


def measure_frechet(data: str) -> Lines:
    """Time `fd_lite0_5k` of a generator, and again when the reference is known."""
    networks, lines = Networks(), []
    with closing(open_dataset(data, resolution=(64, 64))) as dataset, tempfile.TemporaryDirectory() as cache:
        sets = GeneratorPictures(untrained().requires_grad_(False)), DatasetPictures(dataset)
        first = float("inf")
        for what, wanted in ((f"5,000 against {len(dataset)}", 240.0), ("the same, reference known", 0.5)):
            seconds = least_seconds(
                lambda: runner.evaluate(["fd_lite0_5k"], *sets, networks=networks, cache=Path(cache)), 1
            )
            lines.append((what, seconds, "s", wanted if not lines else wanted * first))
            first = min(first, seconds)
    return lines


def measure_swd(data: str) -> Lines:
    """Time `swd8k` of pictures against pictures."""
    with closing(open_dataset(data, resolution=(64, 64))) as dataset:
        sets = DatasetPictures(dataset, seed=1), DatasetPictures(dataset)
        seconds = least_seconds(lambda: runner.evaluate(["swd8k"], *sets, networks=Networks()), 1)
    return [
        ("8,192 pictures of either set", seconds, "s", 60),
        ("peak resident memory, the whole process", runtime.peak_memory_mb(), "MB", 1024),
    ]


LIMIT_ROWS: dict[str, tuple[Callable[[str | None], Lines], bool]] = {
    "in-domain-64": (measure_in_domain, False),
    "features-64": (measure_features, True),
    "fd-lite0-64": (measure_frechet, True),
    "swd-64": (measure_swd, True),
}
"""Name -> what measures it, and whether it needs pictures."""


def measured(row: str, options: argparse.Namespace) -> Any:
    """Measure a row in a process of its own."""
    command = [sys.executable, __file__, "--row", row, "--rounds", str(options.rounds)]
    command += ["--data", options.data] if options.data else []
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure_here(options: argparse.Namespace) -> Any:
    """Measure a row in this process, which it has to itself."""
    runtime.setup()
    if options.row in LIMIT_ROWS:
        return LIMIT_ROWS[options.row][0](options.data)
    for rows, measure in (
        (TRAIN_ROWS, measure_training),
        (SYNTHESIS_ROWS, measure_synthesis),
        (INVERSION_ROWS, measure_inversion),
    ):
        if options.row in rows:
            return measure(*rows[options.row][:4], options.rounds)
    raise AssertionError(options.row)


def main() -> None:
    """Measure one row, or all of them in processes of their own, and print tables."""
    fractions = TRAIN_ROWS | SYNTHESIS_ROWS | INVERSION_ROWS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", choices=[*fractions, *LIMIT_ROWS])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each part; the least counts")
    parser.add_argument("--data", help="pictures for the rows of metrics")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure_here(options)))
        return
    print(
        f"{'row':<26} {'of sgemm':>9} {'wanted':>7} {'img/s':>8} {'sgemm':>10} {'peak MB':>8}  share of time per phase"
    )
    for name, (*_, wanted) in fractions.items():
        r = measured(name, options)
        shares = " ".join(f"{k.removeprefix('share_')} {v:.0%}" for k, v in r.items() if k.startswith("share_"))
        print(
            f"{name:<26} {r['fraction']:>9.0%} {wanted:>7.0%} {r['images_per_sec']:>8.2f} "
            f"{r['sgemm_gflops']:>5.0f} GF/s {r['peak_mb']:>8.0f}  {shares}",
            flush=True,
        )
    print(f"peak MB: above the bare process; wanted for train-64: at most {MEMORY_LIMIT_MB}")
    print(f"\n{'row':<26} {'measured':>12} {'at most':>9}  what")
    for name, (_, needs_pictures) in LIMIT_ROWS.items():
        for what, value, unit, limit in [] if needs_pictures and not options.data else measured(name, options):
            print(f"{name:<26} {value:>9.1f} {unit:<2} {limit:>9.1f}  {what}", flush=True)


if __name__ == "__main__":
    main()
