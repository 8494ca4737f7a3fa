"""Tiny runs that train an encoder, and the generators they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from limner import registry
from limner.checkpoints.io import write_snapshot
from limner.checkpoints.networks import finished_generator
from limner.config import RunConfig, with_changes
from limner.papers.base import ObjectiveContext, PresetRequest
from limner.training.state import TrainingState, initial_state
from training.runs import tiny


def write_generator(folder: Path, *, c_dim: int = 0, lod: float = 0.0, seed: int = 9, with_d: bool = True) -> Path:
    """Write a snapshot of untrained networks, every tensor of G away from where it starts."""
    config = tiny("samples", 1, c_dim=c_dim, seed=seed, generator__use_noise=True)
    state = initial_state(config, ObjectiveContext(), torch.device("cpu"))
    stream = torch.Generator().manual_seed(seed)
    for tensor in (*state.G_ema.parameters(), state.G_ema.w_avg):
        tensor.data += 0.3 * torch.randn(tensor.shape, generator=stream)
    networks = state.networks()
    if not with_d:
        del networks["discriminator"]
    write_snapshot(folder, config, networks, {"kimg": 1.0, "lod": lod})
    return folder


def tiny_encoder(
    data: Path, generator: Path, iterations: int, *, preset: str = "idinvert-tiny", c_dim: int = 0, **changes: Any
) -> RunConfig:
    """Return the settings of a run of `iterations`; in the names of `changes` two underscores stand for a dot."""
    request = PresetRequest(resolution=(16, 16), batch=8, c_dim=c_dim, generator=finished_generator(generator))
    small = {
        "data.path": str(data),
        "encoder.channels": 4,
        "encoder.channel_max": 8,
        "objective.perceptual": "none",
        "callbacks.names": "",
        "callbacks.tick_kimg": 0.04,
        "callbacks.snap": 1,
        "schedule.lr_decay_kimg": 0.1,
        "total_kimg": iterations * 8 / 1000,
    }
    config = registry.get("papers", "idinvert").PRESETS[preset].build(request)
    return with_changes(config, small | {name.replace("__", "."): value for name, value in changes.items()})


def fresh(config: RunConfig) -> TrainingState:
    """The state before training, without the generator's weights."""
    return initial_state(config, ObjectiveContext(), torch.device("cpu"))
