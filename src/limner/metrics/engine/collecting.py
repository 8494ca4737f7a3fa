"""Collecting statistics of a set of pictures in one pass.

Pictures are numbered; block b holds pictures [b B, (b + 1) B) for a batch of B and belongs to process b mod world. So
every process forms the batches that a single one would, and their states merge to what a single one would get. A
picture is made or read once and goes once through each network, for all statistics that want it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from limner.features.base import to_rgb_bytes
from limner.metrics.base import Accumulator, State, Statistic
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import PictureSource

BATCH = 32
"""Pictures made, read and looked at together, where nothing else is asked for."""
READERS = 3
"""Threads that read pictures of a data set, and blocks that are read ahead."""
LATENT_SHARE = 4
"""Statistics of latents take a batch divided by this at a time: they make several pictures each and keep floats."""

Progress = Callable[[int, int], None]
"""Called with (done, in all)."""
Gather = Callable[[State], list[State]]
"""Returns the states of all processes, in their order, to every one of them."""


def alone(state: State) -> list[State]:
    """Gather in a single process."""
    return [state]


@dataclass(kw_only=True)
class Team:
    """This process among those that share a measurement, and what it tells about its progress."""

    rank: int = 0
    world: int = 1
    gather: Gather = alone
    batch: int = BATCH
    """Pictures at a time; odd numbers count one more, so that pairs of pictures stay together."""
    advance: Callable[[int], None] = field(default=lambda count: None)
    """Called with a number of pictures that this process is done with."""

    def blocks(self, total: int, batch: int) -> Iterator[tuple[int, int]]:
        """Yield (first, end) of this process's blocks of [0, total)."""
        for start in range(self.rank * batch, total, self.world * batch):
            yield start, min(start + batch, total)


def collect(
    source: PictureSource, statistics: Sequence[Statistic], networks: Networks, team: Team
) -> dict[Statistic, State]:
    """Return the state of every statistic of the whole set, in every process.

    Raises:
        ShapeError: a statistic is not defined for these pictures.
        DataError: a picture cannot be read.
        NonFiniteError: a generator made NaN or infinity.
    """
    accumulators = {statistic: statistic.accumulator(source, networks) for statistic in dict.fromkeys(statistics)}
    seen = {s: a for s, a in accumulators.items() if s.views != "latents"}
    try:
        with exact_convolutions():
            if seen:
                _look(source, seen, networks, team)
            for statistic, accumulator in accumulators.items():
                if statistic.views == "latents":
                    _follow(statistic, accumulator, team)
        return {s: s.merged([state for state in team.gather(a.state()) if state]) for s, a in accumulators.items()}
    finally:
        for accumulator in accumulators.values():
            accumulator.close()


def num_steps(statistics: Sequence[Statistic]) -> int:
    """Return how many pictures `collect` reports as done for these statistics."""
    counts = {s: s.count for s in statistics}
    return max((n for s, n in counts.items() if s.views != "latents"), default=0) + sum(
        n for s, n in counts.items() if s.views == "latents"
    )


def _look(source: PictureSource, seen: dict[Statistic, Accumulator], networks: Networks, team: Team) -> None:
    """Show pictures, and what networks make of them, to accumulators."""
    batch = team.batch + team.batch % 2
    total = max(statistic.count for statistic in seen)
    blocks = list(team.blocks(total, batch))
    for (start, end), images in zip(blocks, _read_ahead(source, blocks), strict=True):
        indices = torch.arange(start, end)
        features: dict[str, dict[str, Tensor]] = {}
        for statistic, accumulator in seen.items():
            take = min(statistic.count - start, end - start)
            if take <= 0:
                continue
            values = images
            if statistic.views == "features":
                name = statistic.network
                if name not in features:
                    last = max(s.count for s in seen if s.network == name and s.views == "features")
                    shown = images[: last - start].to(networks.device)  # [<= B, C, H, W]
                    features[name] = networks.get(name)(to_rgb_bytes(shown))
                values = features[name][statistic.output]  # type: ignore[attr-defined]
            accumulator.add(indices[:take], values[:take])
        team.advance(end - start)


def _read_ahead(source: PictureSource, blocks: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Yield the pictures of blocks; those of a data set are read while the blocks before them are looked at."""
    if source.size is None:
        for block in blocks:
            yield source.pictures(range(*block))
        return
    with ThreadPoolExecutor(READERS) as readers:
        coming: deque[Future[Tensor]] = deque()
        for block in blocks:
            coming.append(readers.submit(source.pictures, range(*block)))
            if len(coming) > READERS:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _follow(statistic: Statistic, accumulator: Accumulator, team: Team) -> None:
    """Let a statistic of latents make what it needs."""
    batch = max(team.batch // LATENT_SHARE, 1)
    for start, end in team.blocks(statistic.count, batch):
        indices = torch.arange(start, end)
        accumulator.add(indices, indices)
        team.advance(end - start)


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Keep convolutions on CUDA in float32: TF32, their default, moves features and spoils path lengths."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
