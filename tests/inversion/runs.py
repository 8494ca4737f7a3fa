"""A run that trained an encoder, without training: random weights, beside the generator it belongs to."""

from __future__ import annotations

from pathlib import Path

import torch

from limner import registry
from limner.checkpoints.io import write_snapshot
from limner.checkpoints.networks import finished_generator, load_generator
from limner.config import with_changes
from limner.papers.base import PresetRequest


def write_encoder(folder: Path, generator_run: Path, *, seed: int = 3) -> Path:
    """Write the snapshot of an encoder for the generator of a run; its weights are those of the seed."""
    room = registry.get("papers", "idinvert")
    request = PresetRequest(batch=4, generator=finished_generator(generator_run))
    config = with_changes(room.PRESETS["idinvert-tiny"].build(request), {"encoder.channels": 4})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = room.Encoder(config.encoder)
    networks = {"encoder": encoder, "generator_ema": load_generator(generator_run)}
    write_snapshot(folder, config, networks, {"kimg": 1.0})
    return folder
