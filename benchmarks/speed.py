"""Speed and memory of limner's networks, as fractions of the matrix-multiplication rate measured in the same process.

    python benchmarks/speed.py            # all rows, each in its own process
    python benchmarks/speed.py --row train-64

Work is counted as the multiplications and additions of direct convolution (2 per tap; in StyleGAN2 a convolution that
upsamples counts its taps per input pixel, in ProGAN and StyleGAN one beside a nearest-neighbour doubling or a halving
counts them per pixel of the larger picture), so a rate above sgemm is possible: the convolution kernels do not run
through it, and merged kernels do less. Cost of an iteration in units of a forward pass per image: StyleGAN2 D = G + 6
D, G = 3 G + 2 D, R1 = 6 D every 16 iterations, path length = 6 G on half the batch every 4; StyleGAN D = G + 9 D (R1 in
every step); ProGAN D = G + 12 D (gradient penalty between the pictures). Timings are the least of several runs,
interleaved with sgemm. Absolute times on a shared machine mean little; compare fractions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from limner import registry, runtime
from limner.papers.base import Batch, ObjectiveContext
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


def main() -> None:
    """Measure one row, or all of them in processes of their own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", choices=[*TRAIN_ROWS, *SYNTHESIS_ROWS])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each part; the least counts")
    options = parser.parse_args()
    if options.row:
        runtime.setup()
        train = options.row in TRAIN_ROWS
        row = (TRAIN_ROWS if train else SYNTHESIS_ROWS)[options.row][:4]
        print(json.dumps((measure_training if train else measure_synthesis)(*row, options.rounds)))
        return
    print(
        f"{'row':<22} {'of sgemm':>9} {'wanted':>7} {'img/s':>8} {'sgemm':>10} {'peak MB':>8}  share of time per phase"
    )
    for name, (*_, wanted) in (TRAIN_ROWS | SYNTHESIS_ROWS).items():
        command = [sys.executable, __file__, "--row", name, "--rounds", str(options.rounds)]
        r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        shares = " ".join(f"{k.removeprefix('share_')} {v:.0%}" for k, v in r.items() if k.startswith("share_"))
        print(
            f"{name:<22} {r['fraction']:>9.0%} {wanted:>7.0%} {r['images_per_sec']:>8.2f} "
            f"{r['sgemm_gflops']:>5.0f} GF/s {r['peak_mb']:>8.0f}  {shares}",
            flush=True,
        )
    print(f"peak MB: above the bare process; wanted for train-64: at most {MEMORY_LIMIT_MB}")


if __name__ == "__main__":
    main()
