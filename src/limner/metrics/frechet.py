"""Frechet distances between Gaussians of features: FID and its kin.

Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017), Section 2:
d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). Inception's 2,048 pooled features make it the FID.

| name | reference | measured | features | covariance |
|---|---|---|---|---|
| `fid50k` | 50,000 pictures | 50,000 | Inception pool | divided by N - 1 |
| `fid50k_full` | all pictures (StyleGAN2-ADA) | 50,000 | Inception pool | divided by N |
| `sfid50k` | 50,000 (Nash et al. 2021) | 50,000 | Inception's middle, 7 channels x 17 x 17 places | N - 1 |
| `fid_inf` | all | 50,000 | Inception pool | N - 1 |
| `fd_lite0` | all | 50,000 | EfficientNet-Lite0, 1,280 pooled | N - 1 |
| `fd_dinov2` | all (Stein et al. 2023) | 50,000 | DINOv2 class token | N - 1 |

The expectation with N pictures exceeds that with infinitely many by about c / N, and c depends on the generator, so
values of different N cannot be compared. `fid_inf` (Chong & Forsyth, "Effectively Unbiased FID and Inception Score",
2020) fits a line in 1 / N to 15 values with N from a tenth of the pictures to all of them and returns its intercept;
`fid_inf/slope` is c.

Deviations:
- The trace of (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of A^T S2 A with S1 = A A^T, in float64: the
  same number as the matrix square root's trace, real by construction, whatever the ranks.
- The 50,000 reference pictures of `fid50k` are drawn by the seed; StyleGAN took the first ones, mirrored where training
  did (`--mirror`).
- `fid_inf` draws latents as all metrics do, not from a Sobol sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.errors import ConfigError
from limner.metrics.base import Metric, State, Statistic
from limner.metrics.engine.statistics import FeatureBank, Moments, mean_and_covariance

NUM_POINTS = 15
"""Set sizes that the line of `fid_inf` goes through."""


@dataclass(frozen=True, kw_only=True)
class Frechet(Metric):
    """The Frechet distance of two sets of features."""

    extractor: str
    """Name of the feature network."""
    output: str
    """Name of its output."""
    ddof: int = 1
    """Taken off the count as the divisor of the covariance."""

    is_frechet = True

    def real_statistics(self) -> tuple[Statistic, ...]:
        return (Moments(count=self.num_real or 0, extractor=self.extractor, output=self.output),)

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (Moments(count=self.num_generated, extractor=self.extractor, output=self.output),)

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        root = root_of(mean_and_covariance(real[0], self.ddof)[1])
        mean, covariance = mean_and_covariance(generated[0], self.ddof)
        return {self.name: frechet_distance(real[0], root, mean, covariance)}


@dataclass(frozen=True, kw_only=True)
class FrechetInfinity(Frechet):
    """The Frechet distance extrapolated to infinitely many measured pictures."""

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (FeatureBank(count=self.num_generated, extractor=self.extractor, output=self.output),)

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        features = generated[0]["rows"].double()  # [n, D]
        sizes = np.linspace(max(len(features) // 10, 2), len(features), NUM_POINTS).astype(int)
        if len(set(sizes)) < NUM_POINTS:
            raise ConfigError(
                f"{self.name}: got {len(features)} pictures, expected at least {10 * NUM_POINTS} to fit a line through "
                f"{NUM_POINTS} set sizes"
            )
        root = root_of(mean_and_covariance(real[0], self.ddof)[1])
        random = np.random.RandomState(seed % 2**32)
        distances = []
        for size in sizes:
            chosen = features[torch.from_numpy(random.permutation(len(features))[:size])]  # [size, D]
            distances.append(frechet_distance(real[0], root, chosen.mean(0), torch.cov(chosen.T, correction=self.ddof)))
        slope, intercept = np.polyfit(1 / sizes, distances, 1)
        return {self.name: float(intercept), f"{self.name}/slope": float(slope)}


def frechet_distance(real: State, root: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """Return the squared Frechet distance of two Gaussians.

    Args:
        real: `Moments` of the one.
        root: [D, r] `root_of` its covariance.
        mean: [D] float64 of the other.
        covariance: [D, D] float64 of the other.
    """
    difference = mean - real["total"] / real["count"]
    shared = torch.linalg.eigvalsh(root.T @ covariance @ root)  # [r], those of S1 S2
    trace = root.square().sum() + covariance.trace() - 2 * shared.clamp(min=0).sqrt().sum()
    return float(difference.square().sum() + trace)


def root_of(covariance: Tensor) -> Tensor:
    """Return A [D, r] with A A^T = covariance [D, D], r its numerical rank."""
    values, vectors = torch.linalg.eigh(covariance)
    keep = values > values[-1].clamp(min=0) * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, keep] * values[keep].sqrt()


def _full(network: str, output: str) -> Frechet:
    """Return the Frechet distance in another network's features: 50,000 pictures against all of the reference."""
    return Frechet(
        stem=f"fd_{network}",
        separator="_",
        unnamed_count=50_000,
        num_generated=50_000,
        num_real=None,
        extractor=network,
        output=output,
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Frechet(stem="fid", num_generated=50_000, num_real=50_000, extractor="inception", output="pool"),
        Frechet(
            stem="fid",
            ending="_full",
            num_generated=50_000,
            num_real=None,
            extractor="inception",
            output="pool",
            ddof=0,
        ),
        FrechetInfinity(
            stem="fid_inf",
            separator="_",
            unnamed_count=50_000,
            num_generated=50_000,
            num_real=None,
            extractor="inception",
            output="pool",
        ),
        Frechet(stem="sfid", num_generated=50_000, num_real=50_000, extractor="inception", output="spatial"),
        _full("lite0", "pool"),
        _full("dinov2", "cls"),
    )
}
