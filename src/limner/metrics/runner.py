"""Running metrics: finding them by name, looking at every picture once for all of them, and controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from limner import registry
from limner.errors import ConfigError, DataError, ShapeError, closest
from limner.metrics.base import Metric, Result, State, Statistic
from limner.metrics.engine.advice import advice, source_notes
from limner.metrics.engine.cache import collect_kept
from limner.metrics.engine.collecting import Progress, Team, num_steps
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures, PictureSource
from limner.metrics.engine.statistics import GivenMoments, Moments, mean_and_covariance
from limner.metrics.neighbours import nearest_copies

if TYPE_CHECKING:
    from limner.data.base import Dataset


def find(name: str, num: int | None = None) -> Metric:
    """Return the metric called `name`: one of `known`, or the same with another count.

    Args:
        name: name of a protocol.
        num: the count to take instead of the one that the name states.

    Raises:
        ConfigError: there is none, and the message gives the closest name; or `num` is less than 1.
    """
    metrics = _all()
    for metric in metrics:
        count = metric.count_in(name)
        if count is not None:
            return metric if name == metric.name and num is None else metric.with_count(count if num is None else num)
    choices = [metric.name for metric in metrics]
    raise ConfigError(
        f"unknown metric '{name}'; known: {', '.join(choices)}, and each with another number, as in fid5k_full or "
        f"fd_lite0_5k.{closest(name, choices)}"
    )


def known() -> tuple[str, ...]:
    """Return the sorted names of all metrics, with the counts of their sources."""
    return tuple(metric.name for metric in _all())


@cache
def _all() -> tuple[Metric, ...]:
    """Return the metrics whose networks this version has, sorted by name."""
    networks = {"", *registry.names("features")}
    found = [metric for file in registry.names("metrics") for metric in registry.get("metrics", file).METRICS.values()]
    return tuple(sorted((m for m in found if m.networks() <= networks), key=lambda m: m.name))


def evaluate(
    names: Sequence[str],
    generated: PictureSource,
    real: PictureSource | None = None,
    *,
    networks: Networks,
    num: int | None = None,
    cache: Path | None = None,
    team: Team | None = None,
    reference: GivenMoments | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Measure pictures against a reference; pictures are made and read once for all metrics.

    Args:
        names: metrics to compute.
        generated: what is measured; its seed is that of the metrics' own random numbers.
        real: the reference; None when no metric needs one.
        networks: feature networks; those needed are loaded before any picture is made.
        num: use this many pictures instead of the protocols' counts; the results carry the names that say so.
        cache: folder where statistics of data sets are kept; None: nowhere.
        team: the processes that share the work; None: this one alone.
        reference: mean and covariance that stand in for the reference of Frechet distances.
        progress: told about pictures made and read.

    Returns:
        One result a name, in their order. A set with fewer pictures than the protocol takes is measured whole, under
        the name with its own number.

    Raises:
        ConfigError: an unknown name, a count less than 1, too few pictures, or a metric that needs a generator, a
            reference or classifiers and has none.
        ShapeError: the pictures of the two differ in size or channels.
        WeightsError: a network's weight file is missing.
        DataError: a picture cannot be read, or `reference` is of other features.
        NonFiniteError: the generator makes NaN or infinity.
    """
    asked = [_asked(find(name, num), generated) for name in names]
    _check(asked, generated, real, reference)
    measurement = _Measurement(generated, real, networks, cache, team or Team(), reference, progress)
    return measurement.run(asked, [_bound(metric, real.size if real else None) for metric in asked])


def control(
    names: Sequence[str],
    dataset: Dataset,
    *,
    networks: Networks,
    seed: int = 0,
    num: int | None = None,
    cache: Path | None = None,
    team: Team | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Measure real pictures against other real pictures: what a perfect generator would score.

    Arguments and results are those of `evaluate`. Both sets are taken from `dataset`, one from each end of a shuffled
    order. A metric for which it does not hold two sets without a picture in common, the reference no smaller than the
    other where all of it are taken, or that measures a generator, is left out.
    """
    size = len(dataset)
    asked = [find(name, num) for name in names]
    asked = [m for m in asked if not m.needs_generator and m.num_generated + _least_real(m) <= size]
    if not asked:
        return []
    forwards, backwards = (DatasetPictures(dataset, seed=seed, backwards=way) for way in (False, True))
    measurement = _Measurement(forwards, backwards, networks, cache, team or Team(), None, progress)
    return measurement.run(asked, [_bound(metric, size - metric.num_generated) for metric in asked])


def reference_moments(
    name: str,
    real: PictureSource,
    *,
    networks: Networks,
    num: int | None = None,
    cache: Path | None = None,
    team: Team | None = None,
) -> tuple[Tensor, Tensor]:
    """Return mean [D] and covariance [D, D] (divisor N - 1) of a reference in the features of Frechet metric `name`.

    Arguments are those of `evaluate`.
    """
    (statistic,) = _bound(find(name, num), real.size).real_statistics()
    states = collect_kept(real, [statistic], networks, team or Team(), cache)
    return mean_and_covariance(states[statistic], 1)


def nearest(
    generated: PictureSource,
    real: PictureSource,
    *,
    networks: Networks,
    num: int,
    rows: int,
    columns: int,
    cache: Path | None = None,
    team: Team | None = None,
) -> list[list[Tensor]]:
    """Return the measured pictures that are most like copies, each with its nearest real ones.

    Args:
        generated: what is measured.
        real: the reference; all of it is searched.
        networks: for EfficientNet-Lite0, in whose features pictures are near.
        num: pictures that are looked at.
        rows: pictures returned, the most suspicious first.
        columns: real pictures beside each.
        cache: as for `evaluate`.
        team: as for `evaluate`.

    Returns:
        Rows of pictures [C, H, W] uint8: the measured one, then real ones, nearest first.
    """
    metric = _bound(_asked(find("auth_lite0", num), generated), real.size)
    (of_real,), (of_generated,) = metric.real_statistics(), metric.generated_statistics()
    x = collect_kept(real, [of_real], networks, team or Team(), cache)[of_real]["rows"]
    y = collect_kept(generated, [of_generated], networks, team or Team(), cache)[of_generated]["rows"]
    chosen, neighbours = nearest_copies(x, y, rows, columns)
    return [[generated.pictures([i])[0], *real.pictures(beside)] for i, beside in zip(chosen, neighbours, strict=True)]


def _least_real(metric: Metric) -> int:
    return metric.num_generated if metric.num_real is None else metric.num_real


def _asked(metric: Metric, generated: PictureSource) -> Metric:
    """Return the metric, or that for all pictures there are where they are fewer."""
    if generated.size is not None and generated.size < metric.num_generated:
        return metric.with_count(generated.size)
    return metric


def _bound(metric: Metric, real_size: int | None) -> Metric:
    """Return the metric with the number of reference pictures it gets."""
    if metric.num_real == 0 or real_size is None:
        return replace(metric, num_real=0)
    if metric.num_real is None:
        return replace(metric, num_real=min(real_size, metric.max_real or real_size))
    return metric if metric.repeats_real else replace(metric, num_real=min(real_size, metric.num_real))


def _check(
    metrics: Sequence[Metric], generated: PictureSource, real: PictureSource | None, reference: GivenMoments | None
) -> None:
    """Check at the door that the metrics can be measured on these sets."""
    for metric in metrics:
        if metric.needs_generator and not isinstance(generated, GeneratorPictures):
            raise ConfigError(
                f"{metric.name} measures a generator, got the pictures '{generated.name}'; give a run or a snapshot"
            )
        is_known = reference is not None and metric.is_frechet
        if metric.num_real != 0 and real is None and not metric.is_optional_real and not is_known:
            got = f"the statistics in {reference.name}" if reference is not None else "none"
            raise ConfigError(f"{metric.name} compares with real pictures, got {got}; name the pictures with --data")
        if metric.num_real is None and isinstance(real, DatasetPictures) and real.is_mirrored:
            raise ConfigError(
                f"{metric.name} takes the reference as it is; leave out --mirror, or measure one that takes a number "
                "of pictures of it, such as fid50k"
            )
    if real is None:
        return
    sizes = [(s.channels, *s.resolution) for s in (generated, real)]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"metrics: '{generated.name}' has pictures of {_size_text(sizes[0])}, '{real.name}' has "
            f"{_size_text(sizes[1])}; prepare the pictures at one size"
        )


@dataclass(frozen=True)
class _Measurement:
    """What `evaluate` and `control` have in common; the fields are their arguments."""

    generated: PictureSource
    real: PictureSource | None
    networks: Networks
    cache: Path | None
    team: Team
    reference: GivenMoments | None
    progress: Progress | None

    def run(self, asked: Sequence[Metric], metrics: Sequence[Metric]) -> list[Result]:
        """Measure `metrics`, which are those `asked` for with the numbers of pictures there are."""
        started = time.monotonic()
        is_given = self.reference is not None
        of_real = [s for m in metrics for s in m.real_statistics() if not (is_given and isinstance(s, Moments))]
        of_generated = [s for m in metrics for s in m.generated_statistics()]
        for name in sorted({s.network for s in (*of_real, *of_generated)} - {""}):
            self.networks.get(name)
        team = replace(self.team, advance=self._meter(num_steps(of_real) + num_steps(of_generated)))
        real: dict[Statistic, State] = {}
        if self.real is not None and of_real:
            real = collect_kept(self.real, of_real, self.networks, team, self.cache)
        generated = collect_kept(self.generated, of_generated, self.networks, team, self.cache)
        values = [
            metric.compute(
                [real.get(s) or self._substitute(metric, s) for s in metric.real_statistics()],
                [generated[s] for s in metric.generated_statistics()],
                self.generated.seed,
            )
            for metric in metrics
        ]
        seconds = time.monotonic() - started
        notes = list(source_notes(self.generated, "measured pictures"))
        notes += source_notes(self.real, "reference") if real and self.real is not None else []
        return [self._result(*parts, seconds, notes) for parts in zip(asked, metrics, values, strict=True)]

    def _substitute(self, metric: Metric, statistic: Statistic) -> State:
        """Return the given moments in the place of a statistic of the reference."""
        assert self.reference is not None
        assert isinstance(statistic, Moments)
        dim = self.networks.get(statistic.extractor).dims[statistic.output]
        given = self.reference.state
        if len(given["total"]) != dim:
            raise DataError(
                f"{metric.name} has {dim} features, the statistics in {self.reference.name} have "
                f"{len(given['total'])}; give those of the same network"
            )
        return given

    def _result(
        self, asked: Metric, metric: Metric, values: dict[str, float], seconds: float, notes: Sequence[str]
    ) -> Result:
        real: PictureSource | GivenMoments | None = self.real if metric.num_real else None
        if metric.is_frechet and self.reference is not None:
            real = self.reference
        return Result(
            name=metric.name,
            values=values,
            lower_is_better=metric.lower_is_better,
            seed=self.generated.seed,
            num_real=metric.num_real or 0,
            num_generated=metric.num_generated,
            real=real.name if real else None,
            generated=self.generated.name,
            mirror=isinstance(real, DatasetPictures) and real.is_mirrored,
            networks={name: self.networks.stamp(name) for name in sorted(metric.networks() - {""})},
            version=metric.version,
            seconds=seconds,
            warnings=(*advice(asked, metric, self.real), *notes),
        )

    def _meter(self, total: int) -> Callable[[int], None]:
        """Return what counts this process's pictures as those of all, and tells `progress`."""
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count * self.team.world
            if self.progress and count:
                self.progress(min(done, total), total)

        return report


def _size_text(size: Sequence[int]) -> str:
    channels, height, width = size
    return f"{width}x{height} px with {channels} channels"
