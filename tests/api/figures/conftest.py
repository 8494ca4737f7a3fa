"""Small generators of every room with random weights, and contexts that remember the tables drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from limner import registry
from limner.api.figures.base import FigureContext
from limner.config import Resolution
from limner.papers.base import Generator, PresetRequest

SMALL = {"channel_max": 8, "channel_base": 64, "z_dim": 16, "w_dim": 16, "mapping_layers": 2}

Cells = Sequence[Sequence[Image.Image | None]]


def network(
    preset: str, side: int | Resolution = 16, *, channels: int = 3, c_dim: int = 0, **changes: Any
) -> Generator:
    """A narrow generator of a preset with random weights everywhere, noise and w_avg included."""
    room = registry.get("papers", preset.partition("-")[0])
    resolution = (side, side) if isinstance(side, int) else side
    request = PresetRequest(resolution=resolution, channels=channels, c_dim=c_dim)
    config = room.PRESETS[preset].build(request).generator
    small = {name: value for name, value in SMALL.items() if hasattr(config, name)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        G: Generator = room.Generator(dataclasses.replace(config, **{**small, **changes}))
        for tensor in [*G.parameters(), G.w_avg]:
            tensor.data += 0.3 * torch.randn_like(tensor)
    return G.eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class Watched(FigureContext):
    """A context that remembers the tables it saved."""

    tables: dict[str, tuple[Cells, dict[str, Any]]] = field(default_factory=dict)

    def save_table(self, name: str, cells: Cells, **captions: Any) -> Path:
        """Remember and save."""
        self.tables[name] = (cells, captions)
        return super().save_table(name, cells, **captions)


Contexts = Callable[..., Watched]


@pytest.fixture
def context(tmp_path: Path) -> Contexts:
    """Make a context of a generator, with seeds 3, 4, 5 unless others are given."""

    def make(generator: Generator, **changes: Any) -> Watched:
        return Watched(**{"generator": generator, "seeds": (3, 4, 5), "out": tmp_path / "out", **changes})

    return make


def pixels(picture: Image.Image | None) -> np.ndarray:
    """The pixels of a cell."""
    assert picture is not None
    return np.asarray(picture).astype(int)
