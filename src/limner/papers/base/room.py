"""What the package of a room exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import nn

from limner.config import RunConfig
from limner.papers.base.generator import Generator
from limner.papers.base.judges import Discriminator
from limner.papers.base.objective import Objective
from limner.papers.base.presets import Ladder, Paper, Preset


class Room(Protocol):
    """What the package of a room exports that trains a generator."""

    GeneratorConfig: type
    DiscriminatorConfig: type
    ObjectiveConfig: type
    Generator: Callable[[Any], Generator]
    Discriminator: Callable[[Any], Discriminator]
    Objective: Callable[..., Objective]
    PRESETS: dict[str, Preset]
    LADDERS: dict[str, Ladder]
    PAPER: Paper
    convert_official: Callable[..., tuple[RunConfig, dict[str, nn.Module], list[str]]]
    """Networks of this room from a file of another program; left out where there are none."""
    export_official: Callable[..., dict[str, Any]]
    """Networks of this room as the content of a file of another program; left out where there is none."""
