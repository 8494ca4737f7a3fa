"""Labelled pictures, and tiny runs that learn them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limner import registry
from limner.config import RunConfig, with_changes
from limner.papers.base import PresetRequest

NAMES = ("Bright", "Red", "Striped")


def write_labelled(folder: Path, count: int = 60, size: int = 16) -> Path:
    """Plain pictures whose attributes can be seen, with their list in CelebA's format."""
    folder.mkdir(parents=True)
    rng = np.random.RandomState(0)
    has = rng.rand(count, len(NAMES)) < 0.5
    for i, (bright, red, striped) in enumerate(has):
        pixels = np.full((size, size, 3), 180.0 if bright else 60.0) + rng.randn(size, size, 3) * 8
        pixels[..., 0] += 60 if red else -60
        pixels[::2] += 30 if striped else 0
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:03d}.png")
    rows = [f"{i:03d}.png " + " ".join("+1" if value else "-1" for value in row) for i, row in enumerate(has)]
    (folder / "list_attr.txt").write_text("\n".join([str(count), " ".join(NAMES), *rows]) + "\n")
    return folder


def tiny(data: Path | str, iterations: int, *, batch: int = 8, **changes: Any) -> RunConfig:
    """Return the settings of a run of `iterations`; in the names of `changes` two underscores stand for a dot."""
    places = {name: place for place, name in enumerate(NAMES)}
    request = PresetRequest(resolution=(16, 16), batch=batch, c_dim=len(NAMES), attributes=places)
    config = registry.get("papers", "classifier").PRESETS["classifier-tiny"].build(request)
    small = {
        "data.path": str(data),
        "data.held_out": 0.2,
        "classifier.channel_base": 128,
        "classifier.channel_max": 8,
        "callbacks.names": "",
        "callbacks.tick_kimg": 5 * batch / 1000,
        "callbacks.snap": 1,
        "total_kimg": iterations * batch / 1000,
    }
    return with_changes(config, small | {name.replace("__", "."): value for name, value in changes.items()})
