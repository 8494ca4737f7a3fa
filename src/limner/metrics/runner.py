"""Running metrics: finding them by name, making the pictures once for all of them, and controls.

Generated picture i depends on (seed, i) alone: its latent, label and noise maps are drawn from one stream seeded with
both, so no batch size and no other use of random numbers changes it, and measuring leaves the global streams alone.
Real pictures are taken in an order shuffled by the seed; a data set smaller than the protocol's count is gone round
again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from limner import __version__, registry
from limner.errors import ConfigError, ShapeError, closest
from limner.images import to_uint8
from limner.metrics.base import Collector, Metric
from limner.papers.base import Generator

if TYPE_CHECKING:
    from limner.data.base import Dataset

BATCH = 32
"""Pictures made at a time."""

SEED_STRIDE = 0x9E3779B1
"""Odd number near 2^32 / golden ratio: picture streams of different seeds stay far apart."""

Progress = Callable[[int, int], None]
"""Called with (pictures taken so far, pictures in all)."""


def find(name: str) -> Metric:
    """Return the metric called `name`.

    Raises:
        ConfigError: there is none; the message gives the closest name.
    """
    files = [file for file in registry.names("metrics") if name.startswith(file)]
    found: dict[str, Metric] = registry.get("metrics", max(files, key=len)).METRICS if files else {}
    if name not in found:
        choices = known()
        raise ConfigError(f"unknown metric '{name}'; known: {', '.join(choices)}.{closest(name, choices)}")
    return found[name]


def known() -> tuple[str, ...]:
    """Return the sorted names of all metrics."""
    return tuple(sorted(name for file in registry.names("metrics") for name in registry.get("metrics", file).METRICS))


def evaluate(
    names: Sequence[str],
    generator: Generator,
    dataset: Dataset,
    *,
    device: torch.device | str,
    seed: int = 0,
    progress: Progress | None = None,
    num: int | None = None,
) -> dict[str, float]:
    """Measure a generator against a data set; pictures are made and read once for all metrics.

    Args:
        names: metrics to compute.
        generator: on `device`; truncation is off, noise maps are fresh for every picture.
        dataset: pictures of the generator's size.
        device: where the generator is.
        seed: chooses latents, the order of the real pictures, and the metrics' own random numbers.
        progress: told about pictures made and read.
        num: use this many pictures a set instead of the protocols' counts; the keys then read `name@num`, because
            the value is another quantity.

    Returns:
        name -> headline value and name/detail -> value, in the order of `names`.

    Raises:
        ConfigError: an unknown name, or `num` less than 1.
        ShapeError: the pictures do not have the generator's size.
    """
    metrics = [_resized(find(name), num) for name in names]
    size = (generator.img_channels, *generator.img_resolution)
    if size != (dataset.channels, *dataset.resolution):
        raise ShapeError(
            f"metrics: the generator makes pictures of {_size_text(size)}, the data set '{dataset.name}' has "
            f"{_size_text((dataset.channels, *dataset.resolution))}; prepare the data set at the generator's size"
        )
    real = [m.collector(dataset.resolution, dataset.channels, m.num_real, 2 * seed) for m in metrics]
    fake = [m.collector(dataset.resolution, dataset.channels, m.num_generated, 2 * seed + 1) for m in metrics]
    report = _meter(progress, max(m.num_real for m in metrics) + max(m.num_generated for m in metrics))
    _fill(real, [m.num_real for m in metrics], _real_batches(dataset, seed, 0), report)
    _fill(fake, [m.num_generated for m in metrics], _generated_batches(generator, dataset, device, seed), report)
    return _compute(metrics, real, fake, seed)


def control(
    names: Sequence[str],
    dataset: Dataset,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    num: int | None = None,
) -> dict[str, float]:
    """Measure real pictures against other real pictures: what a perfect generator would score.

    Arguments and result are those of `evaluate`. A metric for which the data set does not hold two sets without a
    picture in common is left out.
    """
    metrics = [_resized(find(name), num) for name in names]
    metrics = [m for m in metrics if m.num_real + m.num_generated <= len(dataset)]
    if not metrics:
        return {}
    real = [m.collector(dataset.resolution, dataset.channels, m.num_real, 2 * seed) for m in metrics]
    other = [m.collector(dataset.resolution, dataset.channels, m.num_generated, 2 * seed + 1) for m in metrics]
    start = max(m.num_real for m in metrics)
    report = _meter(progress, start + max(m.num_generated for m in metrics))
    _fill(real, [m.num_real for m in metrics], _real_batches(dataset, seed, 0), report)
    _fill(other, [m.num_generated for m in metrics], _real_batches(dataset, seed, start), report)
    return _compute(metrics, real, other, seed)


def protocol(name: str, seed: int = 0) -> dict[str, Any]:
    """Return what belongs beside a stored value of metric `name`: seed, counts, direction and version."""
    metric = find(name)
    counts = {"num_real": metric.num_real, "num_generated": metric.num_generated}
    return {"seed": seed, **counts, "lower_is_better": metric.lower_is_better, "limner": __version__}


def _resized(metric: Metric, num: int | None) -> Metric:
    if num is None or num == metric.num_real == metric.num_generated:
        return metric
    if num < 1:
        raise ConfigError(f"metrics: got num {num}, expected at least 1 picture")
    return dataclasses.replace(metric, name=f"{metric.name}@{num}", num_real=num, num_generated=num)


def _compute(metrics: Sequence[Metric], real: list[Collector], other: list[Collector], seed: int) -> dict[str, float]:
    values: dict[str, float] = {}
    for metric, a, b in zip(metrics, real, other, strict=True):
        values.update(metric.compute(a, b, seed))
    return values


def _fill(
    collectors: Sequence[Collector], counts: Sequence[int], batches: Iterator[Tensor], report: Callable[[int], None]
) -> None:
    """Give every collector the first pictures of `batches` up to its count."""
    taken = 0
    while taken < max(counts):
        images = next(batches)[: max(counts) - taken]  # [<= BATCH, C, H, W]
        for collector, count in zip(collectors, counts, strict=True):
            if taken < count:
                collector.add(images[: count - taken])
        taken += len(images)
        report(len(images))


def _real_batches(dataset: Dataset, seed: int, start: int) -> Iterator[Tensor]:
    """Yield real pictures [BATCH, C, H, W] uint8 for ever, from place `start` of the shuffled order on."""
    order = np.random.RandomState(seed).permutation(len(dataset))
    while True:
        places = range(start, start + BATCH)
        yield torch.from_numpy(np.stack([dataset.image(int(order[i % len(order)])) for i in places]))
        start += BATCH


def _generated_batches(
    generator: Generator, dataset: Dataset, device: torch.device | str, seed: int
) -> Iterator[Tensor]:
    """Yield generated pictures [BATCH, C, H, W] uint8 for ever."""
    stream = torch.Generator()
    start = 0
    while True:
        z, draws, noises = [], [], []
        for index in range(start, start + BATCH):
            stream.manual_seed((seed * SEED_STRIDE + index) % 2**32)  # torch's CPU stream takes 32 bits
            z.append(torch.randn(generator.z_dim, generator=stream))
            draws.append(torch.rand((), generator=stream))
            noises.append([torch.randn(1, h, w, generator=stream) for h, w in generator.noise_shapes])
        c = dataset.sample_labels(torch.stack(draws)).to(device) if generator.c_dim else None
        maps = [torch.stack(level).to(device) for level in zip(*noises, strict=True)]  # each [BATCH, 1, h, w]
        images = _synthesize(generator, torch.stack(z).to(device), c, maps)
        yield torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2)  # [BATCH, C, H, W]
        start += BATCH


def _synthesize(generator: Generator, z: Tensor, c: Tensor | None, noises: Sequence[Tensor]) -> Tensor:
    """Run the generator in evaluation mode without a graph, and leave its mode as it was."""
    training = generator.training
    generator.eval()
    try:
        with torch.no_grad():
            return generator.synthesis(generator.mapping(z, c), noises=noises or None)
    finally:
        generator.train(training)


def _meter(progress: Progress | None, total: int) -> Callable[[int], None]:
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    return report


def _size_text(size: Sequence[int]) -> str:
    channels, height, width = size
    return f"{width}x{height} px with {channels} channels"
