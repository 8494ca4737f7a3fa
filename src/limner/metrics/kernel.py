"""Kernel distances between sets of features: KID and its kin.

Sources: Binkowski et al., "Demystifying MMD GANs" (2018), Section 4: the squared maximum mean discrepancy with the
kernel (x . y / D + 1)^3, estimated without bias, on Inception's 2,048 pooled features; a mean over 100 subsets of 1,000
(fewer where a set is smaller), drawn without replacement. Jayasumana et al., "Rethinking FID: Towards a Better
Evaluation Metric for Image Generation" (2024): CMMD, the biased estimate with a Gaussian kernel of bandwidth 10 between
normalised CLIP embeddings, times 1000.

| name | reference | measured | features |
|---|---|---|---|
| `kid50k` | 50,000 | 50,000 | Inception pool |
| `kid50k_full` | all, at most 1,000,000 (StyleGAN2-ADA) | 50,000 | Inception pool |
| `kd_lite0` | all, at most 1,000,000 | 50,000 | EfficientNet-Lite0 pool |
| `cmmd` | 50,000 | 50,000 | CLIP embedding |

A small negative value of an unbiased estimate is not an error. `/std` is the spread over subsets, which overlap: no
standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.errors import ConfigError
from limner.metrics.base import Metric, State
from limner.metrics.engine.banks import BankMetric

NUM_SUBSETS, SUBSET_SIZE = 100, 1000
MOST_REAL = 1_000_000
"""Pictures that `_full` takes of a reference."""
BANDWIDTH, SCALE = 10.0, 1000.0
"""Of CMMD's Gaussian kernel, and factor of its values."""
BLOCK = 2048
"""Rows of a kernel matrix held at once."""


@dataclass(frozen=True, kw_only=True)
class KernelInception(BankMetric):
    """KID: the unbiased estimate with the cubic kernel, averaged over subsets."""

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        x, y = real[0]["rows"], generated[0]["rows"]
        size = min(len(x), len(y), SUBSET_SIZE)
        if size < 2:
            raise ConfigError(f"{self.name}: got {size} picture in a set, expected at least 2 to compare within it")
        random = np.random.RandomState(seed % 2**32)
        values = [unbiased_mmd(_drawn(x, size, random), _drawn(y, size, random)) for _ in range(NUM_SUBSETS)]
        return {self.name: float(np.mean(values)), f"{self.name}/std": float(np.std(values))}


@dataclass(frozen=True, kw_only=True)
class ClipDiscrepancy(BankMetric):
    """CMMD: the biased estimate with a Gaussian kernel between normalised embeddings."""

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        x, y = (torch.nn.functional.normalize(s[0]["rows"].double(), dim=1) for s in (real, generated))
        value = _mean_gaussian(x, x) + _mean_gaussian(y, y) - 2 * _mean_gaussian(x, y)
        return {self.name: SCALE * value}


def cubic_kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return (x . y / D + 1)^3 for all pairs of x [n, D] and y [m, D]: [n, m]."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def unbiased_mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy of x [n, D] and y [m, D], cubic kernel.

    Gretton et al., "A Kernel Two-Sample Test" (2012), equation 3.
    """
    within = 0.0
    for points in (x, y):
        gram = cubic_kernel(points, points)
        within += float((gram.sum() - gram.trace()) / (len(points) * (len(points) - 1)))
    return within - 2 * float(cubic_kernel(x, y).mean())


def _drawn(rows: Tensor, size: int, random: np.random.RandomState) -> Tensor:
    """Return `size` rows, drawn without replacement, float64."""
    return rows[torch.from_numpy(random.choice(len(rows), size, replace=False))].double()


def _mean_gaussian(x: Tensor, y: Tensor) -> float:
    """Return the mean of exp(-|x - y|^2 / (2 bandwidth^2)) over all pairs of x [n, D] and y [m, D]."""
    total = 0.0
    for block in x.split(BLOCK):
        squared = block.square().sum(1)[:, None] + y.square().sum(1) - 2 * block @ y.T  # [<= BLOCK, m]
        total += float(torch.exp(squared / (-2 * BANDWIDTH**2)).sum())
    return total / (len(x) * len(y))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        KernelInception(stem="kid", num_generated=50_000, num_real=50_000, extractor="inception", output="pool"),
        KernelInception(
            stem="kid",
            ending="_full",
            num_generated=50_000,
            num_real=None,
            max_real=MOST_REAL,
            extractor="inception",
            output="pool",
        ),
        KernelInception(
            stem="kd_lite0",
            separator="_",
            unnamed_count=50_000,
            num_generated=50_000,
            num_real=None,
            max_real=MOST_REAL,
            extractor="lite0",
            output="pool",
        ),
        ClipDiscrepancy(
            stem="cmmd",
            separator="_",
            unnamed_count=50_000,
            num_generated=50_000,
            num_real=50_000,
            extractor="clip",
            output="embedding",
        ),
    )
}
