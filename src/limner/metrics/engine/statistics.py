"""What is known of a set's features: their Gaussian, all of them, or their classes.

Sums are float64. Moments are raw (count, sum, sum of outer products), so parts of a set add up exactly as the whole
would, up to rounding: measured against a two-pass covariance, entries agree to 3e-14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner.errors import DataError
from limner.metrics.base import Accumulator, Rows, State, Statistic, added, joined
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import PictureSource
from limner.runtime import atomic_file


@dataclass(frozen=True, kw_only=True)
class FeatureStatistic(Statistic):
    """A statistic of one output of a feature network."""

    extractor: str
    """Name of the network."""
    output: str
    """Name of its output."""

    views = "features"

    @property
    def network(self) -> str:
        return self.extractor


@dataclass(frozen=True, kw_only=True)
class Moments(FeatureStatistic):
    """Count, sum and sum of outer products: `count` [], `total` [D], `outer` [D, D], float64."""

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return MomentsAccumulator(networks.get(self.extractor).dims[self.output])

    def merged(self, states: Sequence[State]) -> State:
        return added(states)


class MomentsAccumulator(Accumulator):
    """See `Moments`."""

    def __init__(self, dim: int) -> None:
        self._count = 0
        self._total = torch.zeros(dim, dtype=torch.float64)
        self._outer = torch.zeros(dim, dim, dtype=torch.float64)

    def add(self, indices: Tensor, values: Tensor) -> None:
        features = values.cpu().double()  # [n, D]
        self._count += len(features)
        self._total += features.sum(0)
        self._outer.addmm_(features.T, features)

    def state(self) -> State:
        return {
            "count": torch.tensor(float(self._count), dtype=torch.float64),
            "total": self._total,
            "outer": self._outer,
        }


def mean_and_covariance(state: State, ddof: int) -> tuple[Tensor, Tensor]:
    """Return mean [D] and covariance [D, D] of a state of `Moments`; `ddof` is taken off the count as divisor."""
    count = state["count"]
    mean = state["total"] / count
    scatter = state["outer"] - count * torch.outer(mean, mean)
    return mean, scatter / max(float(count) - ddof, 1.0)


def moments_state(mean: Tensor, covariance: Tensor) -> State:
    """Return the state of `Moments` with this mean [D] and covariance [D, D].

    The count is not known; one of 2^40 makes the divisor of the covariance of no consequence.
    """
    count = 2.0**40
    mean, covariance = mean.double(), covariance.double()
    outer = (count - 1) * covariance + count * torch.outer(mean, mean)
    return {"count": torch.tensor(count, dtype=torch.float64), "total": count * mean, "outer": outer}


@dataclass(frozen=True, kw_only=True)
class FeatureBank(FeatureStatistic):
    """Every picture's features: `rows` [n, D] float32 in the order of their numbers, under `index` [n]."""

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return Rows()

    def merged(self, states: Sequence[State]) -> State:
        return joined([state for state in states if state])


@dataclass(frozen=True, kw_only=True)
class SplitProbabilities(FeatureStatistic):
    """Class probabilities of consecutive splits of the set, which is all that the Inception Score depends on.

    Split s holds pictures [s n // splits, (s + 1) n // splits): `counts` [splits], `sums` [splits, classes] of
    p = softmax(output), and `negentropies` [splits], sums of p log p; float64.
    """

    splits: int
    """Number of splits."""

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        return SplitAccumulator(networks.get(self.extractor).dims[self.output], self.splits, self.count)

    def merged(self, states: Sequence[State]) -> State:
        return added(states)


class SplitAccumulator(Accumulator):
    """See `SplitProbabilities`."""

    def __init__(self, classes: int, splits: int, count: int) -> None:
        self._ends = torch.tensor([(split + 1) * count // splits for split in range(splits)])
        self._counts = torch.zeros(splits, dtype=torch.float64)
        self._sums = torch.zeros(splits, classes, dtype=torch.float64)
        self._negentropies = torch.zeros(splits, dtype=torch.float64)

    def add(self, indices: Tensor, values: Tensor) -> None:
        logp = values.cpu().double().log_softmax(1)  # [n, classes]
        p = logp.exp()
        split = torch.searchsorted(self._ends, indices, right=True)  # [n]
        self._counts.index_add_(0, split, torch.ones(len(split), dtype=torch.float64))
        self._sums.index_add_(0, split, p)
        self._negentropies.index_add_(0, split, torch.special.xlogy(p, p).sum(1))

    def state(self) -> State:
        return {"counts": self._counts, "sums": self._sums, "negentropies": self._negentropies}


@dataclass(frozen=True)
class GivenMoments:
    """Mean and covariance that stand in for a reference whose pictures are not at hand."""

    name: str
    """What to call it in a result."""
    state: State
    """As `Moments` has it."""


def write_moments(path: Path, mean: Tensor, covariance: Tensor) -> None:
    """Write a mean and covariance as `mu` and `sigma` of an .npz, the form pytorch-fid and clean-fid read."""
    with atomic_file(path) as file:
        np.savez(file, mu=mean.numpy(), sigma=covariance.numpy())


def read_moments(path: Path) -> GivenMoments:
    """Read `mu` and `sigma` of an .npz, as pytorch-fid, clean-fid and the TTUR code write them.

    Raises:
        DataError: no such file, not an .npz, or arrays that are no mean and covariance.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            mean, covariance = archive["mu"], archive["sigma"]
    except FileNotFoundError:
        raise DataError(
            f"no such file: {path}; expected the statistics of a reference (.npz with mu and sigma)"
        ) from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"cannot read statistics from {path}: {error}; expected an .npz with mu and sigma") from None
    shapes = f"mu of {list(mean.shape)} and sigma of {list(covariance.shape)}"
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise DataError(f"statistics in {path}: got {shapes}, expected [D] and [D, D]")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise DataError(f"statistics in {path} hold NaN or infinity; make them again")
    return GivenMoments(str(path), moments_state(torch.as_tensor(mean), torch.as_tensor(covariance)))
