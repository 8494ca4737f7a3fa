"""A small StyleGAN2 run in a temporary folder, without the loop."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from limner import registry
from limner.config import with_changes
from limner.data import open_dataset
from limner.papers.base import ObjectiveContext, PresetRequest
from limner.training.callbacks.base import CallbackContext
from limner.training.state import initial_state

SIZE = (16, 16)


def small_config(c_dim=0, **changes):
    preset = registry.get("papers", "stylegan2").PRESETS["stylegan2-tiny"]
    shrunk = {"generator.channel_max": 8, "discriminator.channel_max": 8, "generator.w_dim": 16, "generator.z_dim": 16}
    request = PresetRequest(resolution=SIZE, c_dim=c_dim)
    return with_changes(preset.build(request), {"total_kimg": 20.0, **shrunk, **changes})


@pytest.fixture
def picture_folder(tmp_path):
    """24 pictures of one colour each, in three classes of 8."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.RandomState(0)
    labels = []
    for index in range(24):
        name = f"{index:03d}.png"
        pixels = np.zeros((*SIZE, 3), np.uint8) + rng.randint(0, 256, 3).astype(np.uint8)
        pixels[:8] = 255 - 100 * (index // 8)  # the upper half shows the class
        Image.fromarray(pixels).save(folder / name)
        labels.append([name, index // 8])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


@pytest.fixture
def make_context(tmp_path, picture_folder):
    """Return a function that makes a context; keyword `c_dim`, and settings by dotted path in `changes`."""
    opened = []

    def make(changes=None, *, c_dim=0, quiet=False, augment=None):
        dataset = open_dataset(picture_folder)
        opened.append(dataset)
        config = small_config(c_dim, **{"data.path": str(picture_folder), **(changes or {})})
        run_dir = tmp_path / "run"
        run_dir.mkdir(exist_ok=True)
        return CallbackContext(
            config=config,
            run_dir=run_dir,
            dataset=dataset,
            device=torch.device("cpu"),
            quiet=quiet,
            augment=augment,
        )

    yield make
    for dataset in opened:
        dataset.close()


@pytest.fixture
def make_state():
    """Return a function that makes the untrained state of a context's run, at `nimg` images."""

    def make(context, nimg=0):
        state = initial_state(context.config, ObjectiveContext(), torch.device("cpu"))
        state.nimg, state.tick = nimg, nimg // 1000
        return state

    return make


@pytest.fixture
def stats():
    """Return a function that makes the statistics of a tick."""

    def make(state, *, snapshot=False, **more):
        values = {
            "loss/G": 0.934,
            "loss/D": 1.207,
            "loss/D_r1": 0.02,
            "scores/real": 0.4,
            "scores/fake": -0.3,
            "images_per_sec": 47.23,
            "sec_per_kimg": 21.17,
            "elapsed_sec": 725.0,
            "data_wait": 0.0,
            "augment_p": 0.0,
            "kimg": state.nimg / 1000,
            "tick": float(state.tick),
            "snapshot": float(snapshot),
        }
        return values | {key.replace("__", "/"): value for key, value in more.items()}

    return make
