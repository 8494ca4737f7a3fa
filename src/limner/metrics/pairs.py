"""How alike the pictures of a set are: mean similarity or distance of pairs, a check for collapse.

Sources: Odena et al., "Conditional Image Synthesis with Auxiliary Classifier GANs" (2017), and the ProGAN paper (Karras
et al. 2018), Section 5: MS-SSIM (Wang et al. 2003) between pictures 2 i and 2 i + 1 of a set. Constants and windows are
those of the code both papers used (TensorFlow models): five scales with exponents .0448 .2856 .3001 .2363 .1333, a
Gaussian window of 11 px with standard deviation 1.5 without padding, K1 .01, K2 .03, range 255, halving by means of
2x2, means over places and channels together.

| name | pictures | value |
|---|---|---|
| `msssim` | 20,000 (10,000 pairs, as in ProGAN) | mean MS-SSIM; 1 for equal pictures |
| `lpips` | 10,000 (5,000 pairs) | mean LPIPS (Zhang et al. 2018); 0 for equal pictures |
| `stlpips` | 10,000 (5,000 pairs) | mean ST-LPIPS (Ghildyal & Liu 2022), the distance that needs no download |

Compare with `/real`, the same of the reference: a set whose pairs are more alike than real ones has collapsed.
Unrelated pictures often have an MS-SSIM of exactly 0, where a scale's mean is negative. Pairs do not share a class.

At a scale smaller than the window, the window shrinks to the picture and its standard deviation with it, so that any
size can be measured; a side of odd length is halved upwards, its last row counting twice.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from limner.errors import ConfigError
from limner.features.base import to_rgb
from limner.metrics.base import Accumulator, Metric, Rows, State, Statistic, joined
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import PictureSource

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, finest first."""
WINDOW, WINDOW_STD = 11, 1.5
"""Side and standard deviation of the window, pixels."""
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""What keeps quotients of small numbers stable."""


@dataclass(frozen=True, kw_only=True)
class PairStatistic(Statistic):
    """A number for every pair of pictures (2 i, 2 i + 1): `rows` [pairs] float64; `count` is even."""

    def merged(self, states: Sequence[State]) -> State:
        return joined(states)


@dataclass(frozen=True, kw_only=True)
class Similarities(PairStatistic):
    """MS-SSIM of pairs."""

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return SimilarityRows()


class SimilarityRows(Rows):
    """See `Similarities`."""

    def add(self, indices: Tensor, values: Tensor) -> None:
        self.keep(indices[::2], rows=ms_ssim(values[::2].double(), values[1::2].double()))


@dataclass(frozen=True, kw_only=True)
class Distances(PairStatistic):
    """Perceptual distances of pairs."""

    perceptual: str
    """Name of the perceptual network."""

    @property
    def network(self) -> str:
        return self.perceptual

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return DistanceRows(networks, self.perceptual)


class DistanceRows(Rows):
    """See `Distances`."""

    def __init__(self, networks: Networks, name: str) -> None:
        super().__init__()
        self._network, self._device = networks.get(name), networks.device

    def add(self, indices: Tensor, values: Tensor) -> None:
        images = to_rgb(values.to(self._device).float() / 127.5 - 1)  # [n, 3, H, W]
        with torch.no_grad():
            distances = self._network.distance(images[::2], images[1::2])  # [n / 2]
        self.keep(indices[::2], rows=distances.cpu().double())


@dataclass(frozen=True, kw_only=True)
class PairMean(Metric):
    """The mean over pairs, and the same of as many real pictures."""

    is_optional_real = True

    @abstractmethod
    def statistic(self, count: int) -> PairStatistic:
        """Return the statistic of `count` pictures."""

    def real_statistics(self) -> tuple[Statistic, ...]:
        pairs = (self.num_real or 0) // 2
        return (self.statistic(2 * pairs),) if pairs else ()

    def generated_statistics(self) -> tuple[Statistic, ...]:
        if self.num_generated < 2:
            raise ConfigError(f"{self.name}: got {self.num_generated} picture, expected at least one pair; raise --num")
        return (self.statistic(self.num_generated // 2 * 2),)

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        means = {self.name: generated, f"{self.name}/real": real}
        return {name: float(states[0]["rows"].mean()) for name, states in means.items() if states}


@dataclass(frozen=True, kw_only=True)
class SimilarityMean(PairMean):
    """MS-SSIM; lower is more varied."""

    def statistic(self, count: int) -> PairStatistic:
        return Similarities(count=count)


@dataclass(frozen=True, kw_only=True)
class DistanceMean(PairMean):
    """A perceptual distance; higher is more varied."""

    lower_is_better: bool = False

    def statistic(self, count: int) -> PairStatistic:
        return Distances(count=count, perceptual=self.stem)


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the MS-SSIM [N] of pictures a and b [N, C, H, W], floats from 0 to 255."""
    product = torch.ones(len(a), dtype=a.dtype)
    for scale, exponent in enumerate(EXPONENTS):
        luminance, contrast = _ssim_means(a, b)  # [N] each
        is_last = scale == len(EXPONENTS) - 1
        product = product * (luminance if is_last else contrast).clamp(min=0) ** exponent
        if not is_last:
            a, b = _halved(a), _halved(b)
    return product


def _ssim_means(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means over places and channels of SSIM, and of its contrast and structure alone: [N] each."""
    side = min(WINDOW, *a.shape[2:])
    window = _gaussian(side, WINDOW_STD * side / WINDOW).to(a.dtype)
    mean_a, mean_b = _blurred(a, window), _blurred(b, window)  # [N, C, H - side + 1, W - side + 1]
    var_a = _blurred(a * a, window) - mean_a**2
    var_b = _blurred(b * b, window) - mean_b**2
    covariance = _blurred(a * b, window) - mean_a * mean_b
    contrast = (2 * covariance + C2) / (var_a + var_b + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _gaussian(side: int, std: float) -> Tensor:
    """Return a Gaussian window [side] of sum 1, centred between the middle pixels when `side` is even."""
    places = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    window = torch.exp(-(places**2) / (2 * std**2))
    return window / window.sum()


def _blurred(images: Tensor, window: Tensor) -> Tensor:
    """Filter images [N, C, H, W] with a window [k] both ways, without padding."""
    for dim in (2, 3):
        size = images.shape[dim] - len(window) + 1
        parts = [float(weight) * images.narrow(dim, start, size) for start, weight in enumerate(window)]
        images = torch.stack(parts).sum(0)
    return images


def _halved(images: Tensor) -> Tensor:
    """Average images [N, C, H, W] over 2x2 pixels; the last row or column of an odd side counts twice."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (0, width % 2, 0, height % 2), mode="replicate")
    return functional.avg_pool2d(padded, 2)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        SimilarityMean(stem="msssim", separator="_", unnamed_count=20_000, num_generated=20_000, num_real=20_000),
        DistanceMean(stem="lpips", separator="_", unnamed_count=10_000, num_generated=10_000, num_real=10_000),
        DistanceMean(stem="stlpips", separator="_", unnamed_count=10_000, num_generated=10_000, num_real=10_000),
    )
}
