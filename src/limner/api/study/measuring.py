"""The numbers of every trial, one a picture where there can be one, kept on disk with what decided them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from limner.api.study import measures, semantics
from limner.api.study.bench import Bench
from limner.api.study.contenders import Outcome, Trial, read_kept
from limner.api.study.intervals import interval, mean_difference, mean_interval
from limner.api.study.request import StudyRequest
from limner.editing.base import Direction
from limner.inversion.engine.attribution import Estimate
from limner.metrics.engine.networks import Networks
from limner.runtime import atomic_file

Arrays = dict[str, np.ndarray]
SWD_RESAMPLES = 40
"""Resampled sets that the sliced Wasserstein distance is measured on; it takes longest."""
FD_RESAMPLES = 200
PRECISION_RESAMPLES = 200
MEASURES: Mapping[str, tuple[str, int]] = {
    "mse": ("mean squared error", -1),
    "psnr": ("PSNR, dB", 1),
    "ssim": ("SSIM", 1),
    "perceptual": ("perceptual distance", -1),
    "seconds": ("seconds a picture", -1),
    "mahalanobis": ("distance of the code from W's mean, deviations", -1),
    "self_consistency": ("distance of the code from the judge's", -1),
    "realness": ("logit of the generator's discriminator", 1),
    "spread": ("spread of the layers", -1),
    "agreement": ("attributes still found", 1),
    "changed": ("edits that change what they are to", 1),
    "kept": ("other attributes kept by edits", 1),
    "clean": ("clean edits", 1),
    "code_error": ("squared distance from the true code", -1),
}
"""Numbers of a picture -> what they are, and whether more (1) or less (-1) is better."""
SET_MEASURES = {
    "fd": "Frechet distance (fd_lite0)",
    "swd": "sliced Wasserstein distance x 1e3",
    "fd_midpoints": "Frechet distance of midpoints",
    "precision": "mean average precision of attributes",
}
"""Numbers of a set -> what they are; all but the last are better when smaller."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The numbers of a trial."""

    trial: Trial
    outcome: Outcome
    numbers: Arrays
    """Names of `MEASURES` -> [N]; and `fd_features`, `midpoint_features` [N, D], `swd` [1 + SWD_RESAMPLES]."""


class Measurer:
    """Measures trials, and compares them on the pictures both have."""

    def __init__(self, bench: Bench, request: StudyRequest, folder: Path, directions: Sequence[Direction]) -> None:
        self.bench, self.request, self.folder, self.directions = bench, request, folder, directions
        self.network = Networks(bench.generator.w_avg.device).get(measures.NETWORK)
        self._domain: measures.Domain | None = None
        self._real: dict[str, np.ndarray] = {}
        self._estimates: dict[tuple[str, str, int], Estimate | None] = {}

    def measure(self, trial: Trial, outcome: Outcome) -> Measured:
        """Return the numbers of what a trial found, reading them where they were measured before."""
        numbers = kept(
            self.folder / f"{trial.name}.safetensors", self._key(outcome), lambda: self._numbers(trial, outcome)
        )
        if self.directions and trial.pictures == "held-out":
            key = self._key(outcome) + "".join(direction.name for direction in self.directions)
            numbers |= kept(self.folder / f"{trial.name}-edits.safetensors", key, lambda: self._edits(outcome))
        return Measured(trial=trial, outcome=outcome, numbers=numbers)

    def _key(self, outcome: Outcome) -> str:
        """Name what was found and what judges it."""
        digest = hashlib.sha256(outcome.ws.numpy().tobytes())
        digest.update(outcome.images.numpy().tobytes())
        present = (
            self.bench.judge is not None,
            self.bench.discriminator is not None,
            self.bench.classifier is not None,
        )
        return f"{digest.hexdigest()[:32]}{present}"

    def _numbers(self, trial: Trial, outcome: Outcome) -> Arrays:
        bench, batch = self.bench, self.request.batch
        if self._domain is None:
            self._domain = measures.Domain(bench.generator)
        perceptual = {} if bench.network is None else {"perceptual": outcome.numbers[bench.network.name]}
        numbers: dict[str, np.ndarray | None] = {
            **{name: outcome.numbers[name] for name in ("mse", "psnr", "ssim")},
            **perceptual,
            "seconds": outcome.seconds,
            "mahalanobis": self._domain.distance(outcome.ws),
            "self_consistency": measures.self_consistency(bench, outcome.ws, batch),
            "realness": measures.realness(bench, outcome.images),
            "spread": measures.spread(outcome.ws),
            "fd_features": measures.features(self.network, outcome.images, batch),
        }
        if trial.pictures == "held-out":
            halfway = measures.midpoints(bench, outcome.ws, batch)
            numbers["midpoint_features"] = measures.features(self.network, halfway, batch)
            if trial.count == self.request.num:
                numbers["swd"] = self._swd(trial, outcome)
            if bench.labels is not None:
                numbers["agreement"] = semantics.agreement(bench, outcome.images, batch)
        if trial.pictures == "made":
            numbers["code_error"] = (outcome.ws - bench.made_ws[: trial.count]).square().mean((1, 2)).numpy()
        return {name: np.asarray(values, np.float64) for name, values in numbers.items() if values is not None}

    def _swd(self, trial: Trial, outcome: Outcome) -> np.ndarray:
        """Return the distance of all pictures, then those of resampled sets, the same for every method."""
        wanted, rng = self.bench.sets[trial.pictures][: trial.count], np.random.RandomState(self.request.seed)
        draws = [np.arange(trial.count), *(rng.randint(trial.count, size=trial.count) for _ in range(SWD_RESAMPLES))]
        return np.array([measures.sliced_wasserstein(outcome.images[d], wanted[d]) for d in draws])

    def _edits(self, outcome: Outcome) -> Arrays:
        count = min(len(outcome.ws), self.request.subset)
        found = semantics.edits(self.bench, self.directions, outcome.ws[:count], self.request.batch)
        return {"changed": found.changed, "kept": found.kept, "clean": found.clean}

    def estimate(self, measured: Measured, name: str, count: int | None = None) -> Estimate | None:
        """Return a number of a trial over its first `count` pictures; None: it has no such number."""
        number = min(count or measured.trial.count, measured.trial.count)
        place = measured.trial.name, name, number
        if place not in self._estimates:  # the page and the tables ask for the same
            self._estimates[place] = self._estimate(measured, name, number)
        return self._estimates[place]

    def _estimate(self, measured: Measured, name: str, number: int) -> Estimate | None:
        seed, values = self.request.seed, measured.numbers.get(name)
        if name in MEASURES:
            return None if values is None else mean_interval(values[:number], seed=seed)
        if name == "swd":
            return None if values is None else _of_draws(values)
        statistic = self._statistic(measured, name)
        return None if statistic is None else interval(statistic, number, seed=seed, resamples=_resamples(name))

    def difference(self, a: Measured, b: Measured, name: str) -> Estimate | None:
        """Return by how much a number of `a` is larger than that of `b`, on the pictures both have."""
        seed, x, y = self.request.seed, a.numbers.get(name), b.numbers.get(name)
        if name in MEASURES:
            return None if x is None or y is None else mean_difference(x, y, seed=seed)
        if name == "swd":
            return None if x is None or y is None else _of_draws(x - y)
        of_a, of_b = self._statistic(a, name), self._statistic(b, name)
        if of_a is None or of_b is None:
            return None
        count = min(a.trial.count, b.trial.count)
        return interval(lambda chosen: of_a(chosen) - of_b(chosen), count, seed=seed, resamples=_resamples(name))

    def precisions(self, measured: Measured, names: Sequence[str]) -> np.ndarray:
        """Return the average precision [A] of each attribute over all pictures of a trial."""
        chosen = np.arange(measured.trial.count)
        return semantics.precisions(self.bench, self.directions, measured.outcome.ws, names, chosen)

    def attributes(self, count: int) -> list[str]:
        """Return the attributes with a boundary that enough of the first pictures have and have not."""
        found = {direction.name for direction in self.directions}
        return [name for name in semantics.usable(self.bench, count) if name in found] if found else []

    def _statistic(self, measured: Measured, name: str) -> Callable[[np.ndarray], float] | None:
        """Return the function that gives a number of a set of pictures of a trial."""
        if name == "precision":
            names = self.attributes(measured.trial.count) if measured.trial.pictures == "held-out" else []
            if not names:
                return None
            args = (self.bench, self.directions, measured.outcome.ws, names)
            return lambda chosen: _mean(semantics.precisions(*args, chosen))
        rows = measured.numbers.get({"fd": "fd_features", "fd_midpoints": "midpoint_features"}[name])
        if rows is None:
            return None
        real = self._real_features(measured.trial.pictures)
        return lambda chosen: measures.frechet(real[chosen], rows[chosen])

    def _real_features(self, pictures: str) -> np.ndarray:
        if pictures not in self._real:
            self._real[pictures] = measures.features(self.network, self.bench.sets[pictures], self.request.batch)
        return self._real[pictures]


def kept(path: Path, key: str, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of a file that was written under this key; make and write them otherwise."""
    before = read_kept(path, key, "np")
    if before is not None:
        return before
    made = {name: np.ascontiguousarray(values) for name, values in make().items()}
    with atomic_file(path) as file:
        file.write(safetensors.numpy.save(made, {"key": key}))
    return made


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that are numbers; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _resamples(name: str) -> int:
    return PRECISION_RESAMPLES if name == "precision" else FD_RESAMPLES


def _of_draws(values: np.ndarray) -> Estimate:
    """Return the first number with the interval of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Estimate(float(values[0]), float(low), float(high))
