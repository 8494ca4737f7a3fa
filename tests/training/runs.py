"""Tiny runs: pictures, configuration, and the states they leave."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from limner import registry
from limner.checkpoints.state import load_latest_state
from limner.config import RunConfig, run_config_from_dict, with_changes
from limner.papers.base import PresetRequest
from limner.training import loop

NUM_CLASSES = 3


def write_pictures(folder: Path, count: int = 40, size: int = 16) -> Path:
    """Coloured discs on a plain ground with their class, in the layout of `dataset.json`."""
    folder.mkdir()
    rng = np.random.RandomState(0)
    rows, columns = np.mgrid[:size, :size]
    labels = []
    for i in range(count):
        ground, disc = rng.randint(0, 256, (2, 3))
        y, x, radius = *rng.uniform(0.3 * size, 0.7 * size, 2), rng.uniform(0.15 * size, 0.4 * size)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        Image.fromarray(np.where(inside[..., None], disc, ground).astype(np.uint8)).save(folder / f"{i:03d}.png")
        labels.append([f"{i:03d}.png", i % NUM_CLASSES])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def tiny(data: Path | str, iterations: int, *, batch: int = 8, c_dim: int = 0, **changes: Any) -> RunConfig:
    """Return the settings of a run of `iterations`; in the names of `changes` two underscores stand for a dot."""
    request = PresetRequest(resolution=(16, 16), batch=batch, c_dim=c_dim)
    config = registry.get("papers", "stylegan2").PRESETS["stylegan2-tiny"].build(request)
    small = {
        "data.path": str(data),
        "generator.channel_max": 8,
        "generator.z_dim": 16,
        "generator.w_dim": 16,
        "discriminator.channel_max": 8,
        "discriminator.mbstd_group": 4,
        "objective.r1_gamma": 2.0,
        "objective.pl_weight": 0.0,
        "optimizer.g_lr": 0.0025,
        "optimizer.d_lr": 0.0025,
        "augment.mode": "none",
        "callbacks.names": "",
        "callbacks.tick_kimg": 5 * batch / 1000,
        "callbacks.snap": 1,
        "total_kimg": iterations * batch / 1000,
    }
    return with_changes(config, small | {name.replace("__", "."): value for name, value in changes.items()})


EVERYTHING: dict[str, Any] = {
    "generator__use_noise": True,
    "objective__pl_weight": 2.0,
    "augment__mode": "ada",
    "augment__p": 0.3,
    "augment__speed_kimg": 4.0,
    "data__mirror": True,
    "schedule__lr_rampup_kimg": 0.05,
}
"""Changes that put every part of training to work."""


def run(config: RunConfig, run_dir: Path) -> dict[str, Any]:
    """Train on the CPU and return the state that was saved last."""
    loop.train(config, run_dir, device=torch.device("cpu"), quiet=True)
    return state_of(run_dir)


def state_of(run_dir: Path) -> dict[str, Any]:
    """Return the newest state of a run."""
    state = load_latest_state(run_dir)
    assert state is not None
    return state


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of a state by their path, without the time it took."""
    if isinstance(tree, dict):
        items = [(str(key), value) for key, value in tree.items() if key != "elapsed_sec"]
    elif isinstance(tree, list | tuple):
        items = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return {path: tree}
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves |= flat(value, f"{path}/{key}")
    return leaves


def assert_same_state(got: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every tensor and counter is equal, bit for bit."""
    one, other = flat(got), flat(expected)
    assert list(one) == list(other)
    for path, value in other.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(one[path], value), f"{path} differs by {(one[path] - value).abs().max()}"
        else:
            assert one[path] == value, path


def assert_close_state(got: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-5) -> None:
    """Networks, averages and p agree to `tolerance`; counters and the stream of random numbers exactly."""
    one, other = flat(got), flat(expected)
    assert list(one) == list(other)
    for path, value in other.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            torch.testing.assert_close(
                one[path], value, rtol=tolerance, atol=tolerance, msg=lambda m, p=path: f"{p}: {m}"
            )
        elif isinstance(value, torch.Tensor):
            assert torch.equal(one[path], value), path
        else:
            assert one[path] == value, path


def work(values: dict[str, Any], run_dir: Path, die_at: int | None = None) -> None:
    """Body of a launched process: train, and leave the number of iterations beside the run.

    Process 1 ends without a word after `die_at` iterations.
    """
    rank, iterations = int(os.environ["RANK"]), 0
    iterate = loop._iterate

    def counting(*args: Any) -> None:
        nonlocal iterations
        iterate(*args)
        iterations += 1
        if rank == 1 and iterations == die_at:
            os._exit(9)

    loop._iterate = counting
    loop.train(run_config_from_dict(values), run_dir, device=torch.device("cpu"), quiet=True)
    (run_dir.parent / f"iterations-{rank}.txt").write_text(str(iterations))
