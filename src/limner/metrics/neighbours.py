"""Nearest-neighbour measures: precision and recall, density and coverage, and signs of memorisation.

Sources: Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models" (2019): a set's
manifold is the union of balls around its points that reach to their k-th neighbour; precision is the share of measured
pictures in the reference's manifold, recall the share of the reference in the measured pictures'. Naeem et al.,
"Reliable Fidelity and Diversity Metrics for Generative Models" (2020): density counts how many of the reference's balls
hold a picture, divided by k; coverage is the share of the reference's balls that hold any. Alaa et al., "How Faithful
is your Synthetic Data?" (2022): authenticity, the share of measured pictures that are farther from their nearest
reference picture than that one is from the rest of the reference.

| name | reference | measured | k | features | headline |
|---|---|---|---|---|---|
| `pr50k3` | 50,000 | 50,000 | 3 | VGG16 fc2 after ReLU | harmonic mean of `/precision` and `/recall` |
| `pr50k3_full` | all, at most 200,000 (StyleGAN2-ADA) | 50,000 | 3 | same | same |
| `dc10k5` | 10,000 (Naeem et al.) | 10,000 | 5 | same | `/coverage`; also `/density` |
| `pr_lite0` | 50,000 | 50,000 | 3 | EfficientNet-Lite0 pool | as `pr50k3` |
| `prdc_lite0` | 10,000 | 10,000 | 5 | same | `/coverage`; also `/precision`, `/recall`, `/density` |
| `auth_lite0` | all, at most 200,000 | 10,000 | 1 | same | authentic share; also `/nearness` |

Two samples of one distribution do not score 1 in precision and recall (0.6 to 0.99, by dimension and number): compare
with the control. They score 1 in density and 1 - 2^-k in coverage. Values of other numbers or features are other
quantities. `/nearness` is the mean distance from a measured picture to the reference over the mean distance between
neighbours in the reference: far below 1, pictures are copied.

Deviations:
- Distances are float64; squared ones below 1e-11 of the points' squared lengths, which is what rounding leaves of equal
  points, count as 0, so that duplicates coincide.
- Precision and recall take d <= r, density and coverage d < r, as their authors' code does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.errors import ConfigError
from limner.metrics.base import Metric, State
from limner.metrics.engine.banks import BankMetric

BLOCK_NUMBERS = 2**24
"""Distances held at once: 128 MB."""
BLOCK_COLUMNS = 2**12
"""Points whose features are held as float64 at once."""
EQUAL = 1e-11
"""Squared distances below this share of the squared lengths are rounding."""
MOST_REAL = 200_000
"""Pictures that `_full` takes of a reference."""


@dataclass(frozen=True, kw_only=True)
class Neighbours(BankMetric):
    """Precision, recall, density, coverage: those that are asked for, headline first."""

    k: int
    """Neighbour that a ball reaches to."""
    shown: tuple[str, ...]
    """Details to give."""
    lower_is_better: bool = False

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        x, y = real[0]["rows"], generated[0]["rows"]
        _check_enough(self.name, min(len(x), len(y)), self.k)
        found = neighbour_shares(x, y, self.k)
        headline = found["coverage"] if "coverage" in self.shown else _harmonic(found["precision"], found["recall"])
        return {self.name: headline, **{f"{self.name}/{detail}": found[detail] for detail in self.shown}}


@dataclass(frozen=True, kw_only=True)
class Authenticity(BankMetric):
    """The share of measured pictures that are no copies, and how near they are."""

    lower_is_better: bool = False

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        x, y = real[0]["rows"], generated[0]["rows"]
        _check_enough(self.name, len(x), 1)
        own = neighbour_radii(x, 1)  # [n]
        distance, nearest = nearest_neighbours(y, x)
        nearness = float(distance.sqrt().mean() / own.sqrt().mean().clamp(min=torch.finfo(torch.float64).tiny))
        return {self.name: float((distance > own[nearest]).double().mean()), f"{self.name}/nearness": nearness}


def neighbour_shares(x: Tensor, y: Tensor, k: int) -> dict[str, float]:
    """Return precision, recall, density and coverage of measured features y [m, D] by reference features x [n, D]."""
    real_radii, own_radii = neighbour_radii(x, k), neighbour_radii(y, k)  # [n], [m]
    is_held = torch.zeros(len(x), dtype=torch.bool)
    is_covered = torch.zeros(len(x), dtype=torch.bool)
    is_precise = torch.zeros(len(y), dtype=torch.bool)
    held_count = 0
    for rows, distances in squared_distances(x, y):  # [b, m]
        radii = real_radii[rows, None]  # [b, 1]
        is_precise |= (distances <= radii).any(0)
        is_held[rows] = (distances <= own_radii).any(1)
        inside = distances < radii
        is_covered[rows] = inside.any(1)
        held_count += int(inside.sum())
    return {
        "precision": float(is_precise.double().mean()),
        "recall": float(is_held.double().mean()),
        "density": held_count / (k * len(y)),
        "coverage": float(is_covered.double().mean()),
    }


def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """Return the squared distance [n] of points [n, D] to their k-th nearest other point."""
    radii = [distances.kthvalue(k + 1, dim=1).values for _, distances in squared_distances(points, points)]
    return torch.cat(radii)  # the nearest of all is the point itself


def nearest_neighbours(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared distance [m] of points [m, D] to the nearest of `others` [n, D], and its number [m]."""
    found = [distances.min(1) for _, distances in squared_distances(points, others)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def nearest_copies(x: Tensor, y: Tensor, num: int, k: int) -> tuple[list[int], list[list[int]]]:
    """Return the `num` points of y that come nearest to x, for how near points of x are to one another there.

    Args:
        x: reference features [n, D].
        y: measured features [m, D].
        num: how many of y.
        k: how many neighbours to give for each.

    Returns:
        Their numbers, most suspicious first, and for each the numbers of its k nearest in x.
    """
    own = neighbour_radii(x, 1)  # [n]
    distance, nearest = nearest_neighbours(y, x)
    suspicion = distance / own[nearest].clamp(min=torch.finfo(torch.float64).tiny)
    chosen = suspicion.argsort(stable=True)[:num]  # [<= num]
    k = min(k, len(x))
    found = [distances.topk(k, largest=False).indices for _, distances in squared_distances(y[chosen], x)]
    return chosen.tolist(), torch.cat(found).tolist()


def squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of rows of x [n, D], and their squared distances [b, m] to all of y [m, D]; float64."""
    lengths = torch.cat([part.double().square().sum(1) for part in y.split(BLOCK_COLUMNS)])  # [m]
    step = max(BLOCK_NUMBERS // len(y), 1)
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        block = x[rows].double()
        scale = block.square().sum(1)[:, None] + lengths  # [b, m]
        products = torch.cat([block @ part.double().T for part in y.split(BLOCK_COLUMNS)], 1)  # [b, m]
        squared = scale - 2 * products
        yield rows, torch.where(squared > EQUAL * scale, squared, 0.0)


def _check_enough(name: str, count: int, k: int) -> None:
    if count <= k:
        raise ConfigError(
            f"{name}: got {count} pictures in a set, expected more than {k}, the neighbours it looks for; give more "
            "pictures, or a larger --num"
        )


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


PR, DC, PRDC = ("precision", "recall"), ("coverage", "density"), ("coverage", "precision", "recall", "density")
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Neighbours(
            stem="pr", ending="3", num_generated=50_000, num_real=50_000, extractor="vgg", output="fc", k=3, shown=PR
        ),
        Neighbours(
            stem="pr",
            ending="3_full",
            num_generated=50_000,
            num_real=None,
            max_real=MOST_REAL,
            extractor="vgg",
            output="fc",
            k=3,
            shown=PR,
        ),
        Neighbours(
            stem="dc", ending="5", num_generated=10_000, num_real=10_000, extractor="vgg", output="fc", k=5, shown=DC
        ),
        Neighbours(
            stem="pr_lite0",
            separator="_",
            unnamed_count=50_000,
            num_generated=50_000,
            num_real=50_000,
            extractor="lite0",
            output="pool",
            k=3,
            shown=PR,
        ),
        Neighbours(
            stem="prdc_lite0",
            separator="_",
            unnamed_count=10_000,
            num_generated=10_000,
            num_real=10_000,
            extractor="lite0",
            output="pool",
            k=5,
            shown=PRDC,
        ),
        Authenticity(
            stem="auth_lite0",
            separator="_",
            unnamed_count=10_000,
            num_generated=10_000,
            num_real=None,
            max_real=MOST_REAL,
            extractor="lite0",
            output="pool",
        ),
    )
}
