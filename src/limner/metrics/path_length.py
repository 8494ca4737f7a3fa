"""Perceptual path length: how much pictures change when latents move a little (`ppl_*`).

Source: StyleGAN paper (Karras et al. 2019), Section 4.1: E[d(G(at t), G(at t + e)) / e^2] with e = 1e-4 and d the
LPIPS distance through VGG16. Latents z are interpolated spherically, w linearly; `full` takes t uniform in [0, 1),
`end` takes t = 0. What lies below the 1st or above the 99th percentile is left out of the mean. Lower is smoother.

| name | space | t | picture | distance |
|---|---|---|---|---|
| `ppl_zfull`, `ppl_zend`, `ppl_wfull`, `ppl_wend` | Z or W | full or end | rows 3/8 - 7/8, columns 2/8 - 6/8 | LPIPS |
| `ppl2_wend` | W | end | whole (StyleGAN2 paper, Karras et al. 2020) | LPIPS |
| `ppl_stlpips_w`, `ppl_stlpips_z` | W, Z | end | whole | ST-LPIPS, which needs no download |

All take 50,000 pairs (`ppl2_wend_5k`: 5,000), as StyleGAN2 does; StyleGAN's table took 100,000. What is still larger
than 256 px is averaged over boxes first. Noise maps and labels are fresh for every pair and the same within it.

Pictures are never rounded to bytes here: a step of 1e-4 is far below one, and rounding multiplies the value.

Deviations:
- Interpolated z keep the length sqrt(z_dim), not 1. The generators of the papers normalise z: it is the same to them.
- Cropped pictures are reduced by their own size, as StyleGAN did; StyleGAN2-ADA reduced them by the picture's, twice as
  far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from limner.features.base import to_rgb
from limner.metrics.base import Accumulator, Metric, Rows, State, Statistic, joined
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import GeneratorPictures, PictureSource, check_finite

EPSILON = 1e-4
"""Step along the path."""
LARGEST = 256
"""Side that pictures are reduced to, pixels."""
PERCENTILES = (1, 99)
"""What lies outside is left out."""
SECOND_LATENT = 1
"""Salt of the draws of the other end of a path."""


@dataclass(frozen=True, kw_only=True)
class PathLengths(Statistic):
    """Distance over e^2 along every path: `rows` [n] float64."""

    space: Literal["z", "w"]
    """Where latents are interpolated."""
    sampling: Literal["full", "end"]
    """Anywhere on the path, or at its beginning."""
    crop: bool
    """Whether to compare the part where a centred face is."""
    perceptual: str
    """Name of the perceptual network."""

    views = "latents"
    is_stored = False

    @property
    def network(self) -> str:
        return self.perceptual

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return PathRows(self, cast(GeneratorPictures, source), networks)

    def merged(self, states: Sequence[State]) -> State:
        return joined(states)


class PathRows(Rows):
    """See `PathLengths`."""

    def __init__(self, how: PathLengths, source: GeneratorPictures, networks: Networks) -> None:
        super().__init__()
        self._how, self._source = how, source
        self._network, self._device = networks.get(how.perceptual), networks.device

    def add(self, indices: Tensor, values: Tensor) -> None:
        source, generator = self._source, self._source.generator
        first = source.draws(indices.tolist(), num_extra=1)
        other = source.draws(indices.tolist(), salt=SECOND_LATENT)
        t = first.extra * (self._how.sampling == "full")  # [n, 1]
        with source.evaluating():
            if self._how.space == "z":
                ends = [generator.mapping(slerp(first.z, other.z, t + e), first.c) for e in (0, EPSILON)]
            else:
                a, b = (generator.mapping(z, first.c) for z in (first.z, other.z))  # [n, num_ws, w_dim] each
                ends = [a + (b - a) * (t + e)[:, :, None] for e in (0, EPSILON)]
            ws = torch.cat(ends)  # [2 n, num_ws, w_dim]
            images = generator.synthesis(ws, noises=[torch.cat([noise, noise]) for noise in first.noises] or None)
            check_finite(images, source.name)
            images = to_rgb(prepared(images, self._how.crop).to(self._device))
            distances = self._network.distance(*images.chunk(2))  # [n]
        self.keep(indices, rows=distances.cpu().double() / EPSILON**2)


@dataclass(frozen=True, kw_only=True)
class PathLength(Metric):
    """The mean over paths, trimmed."""

    space: Literal["z", "w"]
    sampling: Literal["full", "end"]
    crop: bool
    perceptual: str
    num_real: int | None = 0
    needs_generator: bool = True

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (
            PathLengths(
                count=self.num_generated,
                space=self.space,
                sampling=self.sampling,
                crop=self.crop,
                perceptual=self.perceptual,
            ),
        )

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        return {self.name: trimmed_mean(generated[0]["rows"].numpy())}


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the points at t [n, 1] on great circles from a to b [n, D], of length sqrt(D)."""
    a, b = functional.normalize(a, dim=1), functional.normalize(b, dim=1)
    cosine = (a * b).sum(1, keepdim=True).clamp(-1, 1)
    across = functional.normalize(b - cosine * a, dim=1)  # [n, D], at right angles to a
    angle = t * torch.acos(cosine)  # [n, 1]
    point = functional.normalize(a * torch.cos(angle) + across * torch.sin(angle), dim=1)
    return point * math.sqrt(a.shape[1])


def prepared(images: Tensor, crop: bool) -> Tensor:
    """Return the part of images [N, C, H, W] that is compared, reduced by a whole factor when larger than 256 px."""
    if crop:
        row, column = images.shape[2] // 8, images.shape[3] // 8
        images = images[:, :, 3 * row : 7 * row, 2 * column : 6 * column]
    factor = images.shape[2] // LARGEST
    return functional.avg_pool2d(images, factor) if factor > 1 else images


def trimmed_mean(values: np.ndarray) -> float:
    """Return the mean of what lies within `PERCENTILES`, both rounded outwards to a value that occurs."""
    low = np.percentile(values, PERCENTILES[0], method="lower")
    high = np.percentile(values, PERCENTILES[1], method="higher")
    return float(values[(values >= low) & (values <= high)].mean())


def _path_length(stem: str, space: str, sampling: str, crop: bool, perceptual: str) -> PathLength:
    return PathLength(
        stem=stem,
        separator="_",
        unnamed_count=50_000,
        num_generated=50_000,
        space=cast(Literal["z", "w"], space),
        sampling=cast(Literal["full", "end"], sampling),
        crop=crop,
        perceptual=perceptual,
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(_path_length(f"ppl_{s}{t}", s, t, True, "lpips") for s in ("z", "w") for t in ("full", "end")),
        _path_length("ppl2_wend", "w", "end", False, "lpips"),
        *(_path_length(f"ppl_stlpips_{s}", s, "end", False, "stlpips") for s in ("z", "w")),
    )
}
