"""The contract of a metric.

A metric is a file of this folder that exports `METRICS`, a mapping from name to `Metric`. It declares what it needs to
know of each set of pictures as *statistics*; the runner collects every statistic once, however many metrics ask for it,
and hands their states to `Metric.compute`. A name fixes the protocol: network, counts, preprocessing, constants.

A name is `stem`, a count, `ending`. `fid50k_full` has the stem `fid`, the count 50,000 and the ending `_full`; the same
metric with 5,000 pictures is called `fid5k_full`, and no name stands for two counts.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from limner import __version__
from limner.errors import ConfigError

if TYPE_CHECKING:
    from limner.metrics.engine.networks import Networks
    from limner.metrics.engine.sources import PictureSource

State = dict[str, Tensor]
"""What a statistic knows of a set: tensors by name, on the CPU."""


class Accumulator(ABC):
    """Takes in a set, a batch at a time, and keeps what a statistic is made of."""

    @abstractmethod
    def add(self, indices: Tensor, values: Tensor) -> None:
        """Take in the pictures numbered `indices` [n]. What is kept does not depend on how pictures are batched.

        Args:
            indices: numbers of the pictures in their set, rising.
            values: what the statistic looks at: features [n, D], pictures [n, C, H, W] uint8, or the indices again.
        """

    @abstractmethod
    def state(self) -> State:
        """Return what was kept; the accumulator takes nothing in afterwards."""

    def close(self) -> None:  # noqa: B027 - most accumulators hold nothing open
        """Release files; a state outlives them."""


@dataclass(frozen=True, kw_only=True)
class Statistic(ABC):
    """Something to know of a set of pictures. Equal statistics are collected once."""

    count: int
    """Pictures it is made of: the first ones of the set."""

    version: ClassVar[int] = 1
    """Raised whenever the same pictures give another state; part of the name of a stored state."""
    is_stored: ClassVar[bool] = True
    """Whether the state of a data set is worth keeping on disk."""
    views: ClassVar[str] = "pictures"
    """What `Accumulator.add` gets: `features` of `network`, `pictures`, or `latents`: nothing but the numbers."""

    @property
    def network(self) -> str:
        """Name of the feature network it needs; empty for none."""
        return ""

    @abstractmethod
    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        """Return an empty accumulator for this process's part of the set.

        Raises:
            ShapeError: the statistic is not defined for pictures of this size.
        """

    @abstractmethod
    def merged(self, states: Sequence[State]) -> State:
        """Return the state of a set whose parts have `states`."""


def added(states: Sequence[State]) -> State:
    """Return the sums of states: how sums merge."""
    return {name: torch.stack([state[name] for state in states]).sum(0) for name in states[0]}


def joined(states: Sequence[State]) -> State:
    """Return the rows of states, in the order of the numbers under `index`: how rows merge."""
    whole = states[0] if len(states) == 1 else {n: torch.cat([state[n] for state in states]) for n in states[0]}
    if (whole["index"].diff() > 0).all():  # as from one process: nothing to copy
        return whole
    order = torch.argsort(whole["index"])
    return {name: rows[order] for name, rows in whole.items()}


class Rows(Accumulator):
    """Keeps a row for every picture, and its number under `index`."""

    def __init__(self) -> None:
        self._parts: list[State] = []

    def add(self, indices: Tensor, values: Tensor) -> None:
        self.keep(indices, rows=values)

    def keep(self, indices: Tensor, **rows: Tensor) -> None:
        """Keep rows [n, ...] under their names."""
        self._parts.append({"index": indices, **{name: row.detach().cpu() for name, row in rows.items()}})

    def state(self) -> State:
        parts, self._parts = self._parts, []
        return joined(parts) if parts else {}


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A quantity with everything that decides its value."""

    stem: str
    """Beginning of the name."""
    ending: str = ""
    """End of the name."""
    separator: str = ""
    """Stands before the count in the name."""
    unnamed_count: int | None = None
    """The count that a name without one stands for; None: every name has one."""
    kilo: int = 1000
    """What a k stands for in the name."""
    num_generated: int
    """Pictures taken from what is measured."""
    num_real: int | None
    """Pictures taken from the reference; None: all of them; 0: it needs no reference."""
    max_real: int | None = None
    """Where all of the reference are taken: at most this many."""
    repeats_real: bool = False
    """Whether a reference with fewer pictures is gone round again, rather than taken whole."""
    lower_is_better: bool = True
    """Direction of the headline value."""
    needs_generator: bool = False
    """Whether it measures a generator and cannot measure a set of pictures."""
    version: int = 1
    """Raised whenever the same pictures give another value."""

    is_frechet: ClassVar[bool] = False
    """Whether it is a Frechet distance: biased by the number of pictures, and content with a mean and covariance."""
    is_optional_real: ClassVar[bool] = False
    """Whether it measures without a reference, too, and then leaves out what is said of it."""

    @property
    def name(self) -> str:
        """Name of the protocol; also the key of the headline value in what `compute` returns."""
        if self.num_generated == self.unnamed_count:
            return f"{self.stem}{self.ending}"
        thousands, rest = divmod(self.num_generated, self.kilo)
        count = str(self.num_generated) if rest else f"{thousands}k"
        return f"{self.stem}{self.separator}{count}{self.ending}"

    def count_in(self, name: str) -> int | None:
        """Return the count that `name` gives this metric; None when it is not a name of it.

        A count of one digit is taken for a slip: `swd2` is no name.
        """
        if self.unnamed_count is not None and name == f"{self.stem}{self.ending}":
            return self.unnamed_count
        found = re.fullmatch(rf"{re.escape(self.stem + self.separator)}(\d\d+|\d+k){re.escape(self.ending)}", name)
        return int(found[1].rstrip("k")) * (self.kilo if "k" in found[1] else 1) if found else None

    def with_count(self, count: int) -> Metric:
        """Return the metric for `count` pictures of what is measured, and as many of the reference unless it takes all.

        Raises:
            ConfigError: less than 1.
        """
        if count < 1:
            raise ConfigError(f"metrics: got a count of {count}, expected at least 1 picture")
        return dataclasses.replace(self, num_generated=count, num_real=count if self.num_real else self.num_real)

    def networks(self) -> set[str]:
        """Return the names of the networks it looks through."""
        return {s.network for s in (*self.generated_statistics(), *self.real_statistics())}

    def real_statistics(self) -> tuple[Statistic, ...]:
        """What to know of the reference; `num_real` is a number by now."""
        return ()

    @abstractmethod
    def generated_statistics(self) -> tuple[Statistic, ...]:
        """What to know of what is measured."""

    @abstractmethod
    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        """Return the values.

        Args:
            real: states of `real_statistics`.
            generated: states of `generated_statistics`.
            seed: of the metric's own random numbers.

        Returns:
            The headline value under `name`, first; details under `name/detail`.
        """


@dataclass(frozen=True, kw_only=True)
class Result:
    """A measured metric with everything that decided its value."""

    name: str
    """Name of the protocol."""
    values: Mapping[str, float]
    """name -> headline value, then name/detail -> value."""
    lower_is_better: bool
    """Direction of the headline value."""
    seed: int
    """Chose latents, the order of pictures and the metric's own random numbers."""
    num_real: int
    """Pictures of the reference."""
    num_generated: int
    """Pictures of what was measured."""
    real: str | None
    """Name of the reference; None where it needs none."""
    generated: str
    """Name of what was measured."""
    mirror: bool
    """Whether the reference was seen mirrored, too."""
    networks: Mapping[str, Mapping[str, str]]
    """Name of each network it looked through -> its `sha256` and `resize`."""
    version: int
    """Version of the protocol."""
    seconds: float
    """Time all metrics measured together took."""
    warnings: tuple[str, ...] = ()
    """Sentences on what makes the value mislead."""
    limner: str = __version__

    @property
    def value(self) -> float:
        """The headline value."""
        return self.values[self.name]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return dataclasses.asdict(self) | {"warnings": list(self.warnings)}

    def protocol(self) -> dict[str, Any]:
        """Return what belongs beside the values, as plain values."""
        return {key: value for key, value in self.to_dict().items() if key not in ("name", "values")}
