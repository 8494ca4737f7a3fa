"""Tiny runs and pictures that the tests of the verbs and of the command line share; nothing here is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from limner import registry
from limner.checkpoints.io import write_document, write_snapshot
from limner.config import RunConfig, with_changes
from limner.papers.base import PresetRequest

SMALL: dict[str, Any] = {
    "generator.channel_max": 8,
    "generator.z_dim": 16,
    "generator.w_dim": 16,
    "generator.use_noise": True,
    "discriminator.channel_max": 8,
    "callbacks.names": "log,samples,snapshots",
    "callbacks.tick_kimg": 0.008,
    "callbacks.snap": 1,
    "total_kimg": 0.016,
}
"""What makes the preset `stylegan2-tiny` tiny enough for a test."""


def tiny_config(data: Path | str, *, c_dim: int = 0) -> RunConfig:
    """The settings of a run at 16 pixels that takes a moment."""
    request = PresetRequest(resolution=(16, 16), batch=8, c_dim=c_dim)
    config = registry.get("papers", "stylegan2").PRESETS["stylegan2-tiny"].build(request)
    return with_changes(config, {**SMALL, "data.path": str(data)})


def write_run(folder: Path, config: RunConfig, *, kimg: int = 2) -> Path:
    """A run folder with one snapshot whose networks have random weights everywhere, noise and w_avg included."""
    room = registry.get("papers", config.room)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        G, D = room.Generator(config.generator), room.Discriminator(config.discriminator)
        for tensor in [*G.parameters(), G.w_avg]:
            tensor.data += 0.3 * torch.randn_like(tensor)
    write_document(folder, "run", config, {"data_fingerprint": "none"})
    networks = {"generator_ema": G, "generator": G, "discriminator": D}
    write_snapshot(folder / "snapshots" / f"{kimg:06d}", config, networks, {"kimg": float(kimg)})
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unconditional run at 16 pixels."""
    return write_run(tmp_path_factory.mktemp("runs") / "tiny", tiny_config("faces.zip"))


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run at 16 pixels with labels of 3 values."""
    return write_run(tmp_path_factory.mktemp("runs") / "conditional", tiny_config("classes", c_dim=3))


def write_pictures(folder: Path, count: int, size: tuple[int, int] = (16, 16)) -> Path:
    """Random PNGs of (height, width)."""
    folder.mkdir(parents=True)
    rng = np.random.RandomState(0)
    for i in range(count):
        Image.fromarray(rng.randint(0, 256, (*size, 3)).astype(np.uint8)).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pictures of 16 pixels."""
    return write_pictures(tmp_path_factory.mktemp("data") / "photos", 12)


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of 3 classes, 4 pictures of 16 pixels each."""
    folder = tmp_path_factory.mktemp("data") / "animals"
    for name in ("cat", "dog", "owl"):
        write_pictures(folder / name, 4)
    return folder
