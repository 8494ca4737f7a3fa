"""Papers, their published configurations, and their ablation tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from limner.config import Resolution, RunConfig, SourceConfig


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The publication a room implements."""

    title: str
    authors: str
    year: int
    arxiv: str


@dataclass(frozen=True, kw_only=True)
class FinishedGenerator:
    """What the preset of an encoder has to know of the generator it is trained for."""

    source: SourceConfig
    """Where it is, and which it is."""
    generator: Any
    """`GeneratorConfig` of its room."""
    discriminator: Any
    """`DiscriminatorConfig` of its room."""
    z_dim: int
    """Length of z."""
    w_dim: int
    """Length of w."""
    num_ws: int
    """Number of layers that take a w."""

    @classmethod
    def of(cls, config: RunConfig) -> FinishedGenerator | None:
        """Return the generator of a run that trains an encoder; None for other runs, and where none is named yet."""
        source, encoder = config.generator_from, config.encoder
        if source is None or not source.room:
            return None
        return cls(
            source=source,
            generator=config.generator,
            discriminator=config.discriminator,
            z_dim=encoder.z_dim,
            w_dim=encoder.w_dim,
            num_ws=encoder.num_ws,
        )


@dataclass(frozen=True, kw_only=True)
class PresetRequest:
    """What a preset may depend on. `None` means: the preset's own value."""

    resolution: Resolution | None = None
    """(height, width), pixels."""
    channels: int = 3
    """Channels of the pictures."""
    c_dim: int = 0
    """Length of a label vector."""
    batch: int | None = None
    """Total batch."""
    num_processes: int = 1
    """Processes of the run."""
    total_kimg: float | None = None
    """Length of the run; the durations of growing shrink and stretch with it."""
    generator: FinishedGenerator | None = None
    """The generator that an encoder is trained for; None: none is named yet."""
    attributes: Mapping[str, int] = field(default_factory=dict)
    """What a classifier learns: attribute -> its place in a label vector; empty: no data are named yet."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named configuration with its source and, where the paper gives one, its published score."""

    name: str
    summary: str
    """One line for listings."""
    source: str
    """Paper and table, or the official settings it restates."""
    native_resolution: Resolution
    """Resolution it was published at."""
    build: Callable[[PresetRequest], RunConfig]
    """Resolve the preset."""
    published: str = ""
    """The published score, quoted from the source."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A row of an ablation table."""

    row: str
    """The row's name in the paper."""
    preset: str
    """The preset that is this row, of any room."""
    published: Mapping[str, float] = field(default_factory=dict)
    """Score -> its published value, such as `{"FID, FFHQ": 4.40}`."""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """An ablation table of a paper: each rung is the one above it with that row's difference."""

    title: str
    """What the table compares."""
    source: str
    """Paper and table, and how sure the published values are."""
    rungs: tuple[Rung, ...]
    """Rows, first to last."""
