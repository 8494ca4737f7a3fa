"""Sentences on what makes a measured value mislead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from limner.metrics.base import Metric
from limner.metrics.engine.sources import DatasetPictures, PictureSource

ENOUGH_FOR_GAUSSIAN = 2048
"""Pictures below which a covariance of Inception's 2,048 features has no full rank."""
VERY_SMALL = 1000
"""Pictures of a reference below which it hardly stands for anything but itself."""
LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")
PROBE = 16
"""Pictures whose spectra tell whether a set was enlarged."""
ENLARGED = 0.001
"""Power above half the Nyquist frequency over the power below it (zero left out) that tells an enlarged set.

A spectrum of 1 / f^2 gives 0.13 to 0.25, blurred by a pixel 0.002 to 0.005, enlarged by 4 less than 0.0008; pictures
enlarged by 2 (0.005 to 0.02) cannot be told from soft ones.
"""


def advice(asked: Metric, metric: Metric, real: PictureSource | None) -> Iterator[str]:
    """Yield what to know about a value.

    Args:
        asked: the metric as its name defines it.
        metric: the same with the numbers of pictures it got.
        real: the reference; None where there is none.
    """
    if metric.is_frechet and metric.num_generated < ENOUGH_FOR_GAUSSIAN:
        yield (
            f"{metric.name} with {metric.num_generated} pictures is dominated by its bias, which falls as 1/N; take at "
            f"least {ENOUGH_FOR_GAUSSIAN}, and compare values of one N alone"
        )
    if not metric.num_real or real is None or real.size is None:
        return
    if asked.num_real and metric.num_real < asked.num_real:
        yield (
            f"{metric.name} takes {asked.num_real} reference pictures, '{real.name}' has {metric.num_real}: the value "
            "cannot be compared with published ones"
        )
    if real.channels in (2, 4) and any(s.views == "pictures" and not s.network for s in metric.generated_statistics()):
        yield (
            f"{metric.name} takes the alpha channel of the pictures for one more colour; values of pictures with and "
            "without one do not compare"
        )
    if real.size < VERY_SMALL:
        yield (
            f"the reference '{real.name}' has {real.size} pictures: a value says how near these pictures are, copying "
            "included; look at nearest neighbours (auth_lite0), too"
        )


def source_notes(source: PictureSource, role: str) -> Iterator[str]:
    """Yield what to know about a set of pictures, whatever is measured.

    Args:
        source: the set.
        role: what to call it: `reference` or `measured pictures`.
    """
    if not isinstance(source, DatasetPictures):
        return
    if source.dataset.note:
        yield f"{role} '{source.name}': {source.dataset.note}"
    names = source.dataset.source.names
    lossy = sum(PurePosixPath(name).suffix.lower() in LOSSY for name in names)
    if lossy:
        yield (
            f"{role} '{source.name}': {lossy} of {len(names)} pictures are JPEG, whose artefacts move every metric; "
            "compare with pictures stored alike"
        )
    if looks_enlarged(source):
        yield (
            f"{role} '{source.name}': the pictures have next to no fine detail, as if they had been enlarged three "
            "times or more; metrics reward blurred pictures then; prepare the data at their true size"
        )


def looks_enlarged(source: DatasetPictures) -> bool:
    """Whether some pictures of a set, taken together, have next to no power above half the Nyquist frequency."""
    if min(source.resolution) < 16:
        return False
    low = high = 0.0
    for index in range(min(PROBE, source.size)):
        luma = source.pictures([index]).float().mean((0, 1)).numpy()  # [H, W]
        window = np.outer(*(np.hanning(side) for side in luma.shape))  # the edges are no detail
        power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
        frequency = np.maximum(*np.meshgrid(*(np.abs(np.fft.fftfreq(s)) for s in luma.shape), indexing="ij"))
        low += float(power[(frequency < 0.25) & (frequency > 0)].sum())
        high += float(power[frequency >= 0.25].sum())
    return low > 0 and high < ENLARGED * low
