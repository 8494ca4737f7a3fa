"""Grids of pictures and their reconstructions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from limner.data import open_dataset
from limner.errors import ConfigError
from limner.images import to_uint8
from limner.training.callbacks import reconstructions
from limner.training.callbacks.base import CallbackContext
from limner.training.callbacks.samples import choose_cells
from training.encoders import fresh, tiny_encoder, write_generator

COLUMNS = 12


@pytest.fixture
def context(tmp_path, picture_folder):
    config = tiny_encoder(picture_folder, write_generator(tmp_path / "g"), 4, encoder__norm="batch")
    dataset = open_dataset(picture_folder)
    (tmp_path / "run").mkdir()
    yield CallbackContext(config=config, run_dir=tmp_path / "run", dataset=dataset, device=torch.device("cpu"))
    dataset.close()


def rows(path):
    """The pictures of a sheet, [rows, columns, H, W, C]."""
    sheet = np.asarray(Image.open(path))
    cells = sheet.reshape(sheet.shape[0] // 16, 16, COLUMNS, 16, 3)
    return cells.transpose(0, 2, 1, 3, 4)


def test_each_picture_stands_above_what_the_generator_makes_of_its_code(context):
    state = fresh(context.config)
    reconstructions.make(context).on_start(state)
    cells = rows(context.run_dir / "samples" / "000000.png")
    assert cells.shape[:2] == (8, COLUMNS)
    chosen, _ = choose_cells(context.dataset, context.config.seed, by_class=False)
    pixels = np.stack([context.dataset.image(int(i)) for i in chosen[: 4 * COLUMNS]])
    np.testing.assert_array_equal(cells[::2].reshape(-1, 16, 16, 3), pixels.transpose(0, 2, 3, 1))
    state.E.eval()
    with torch.no_grad():
        made = state.G.synthesis(state.E(torch.from_numpy(pixels).float() / 127.5 - 1))
    shown = cells[1::2].reshape(-1, 16, 16, 3).astype(int)
    assert np.abs(shown - to_uint8(made).astype(int)).max() <= 1
    assert context.shared["grid"] == context.run_dir / "samples" / "000000.png"


def test_the_encoder_is_left_as_it_was(context):
    state = fresh(context.config)
    before = {name: value.clone() for name, value in state.E.state_dict().items()}
    reconstructions.make(context).on_start(state)
    assert state.E.training
    assert all(torch.equal(value, before[name]) for name, value in state.E.state_dict().items())


def test_grids_are_written_at_snapshots_and_at_the_end(context, stats):
    state = fresh(context.config)
    callback = reconstructions.make(context)
    callback.on_start(state)
    folder = context.run_dir / "samples"
    for nimg, snapshot in ((1000, False), (2000, True), (2000, None), (2500, None)):
        state.nimg = nimg
        if snapshot is None:
            callback.on_end(state)
        else:
            callback.on_tick(state, stats(state, snapshot=snapshot))
    assert sorted(path.name for path in folder.iterdir()) == ["000000.png", "000002.png"]
    again = reconstructions.make(context)
    context.shared.clear()
    again.on_start(state)
    assert context.shared["grid"] == folder / "000002.png"


def test_a_run_without_an_encoder_is_told_so(make_context):
    with pytest.raises(ConfigError, match="'reconstructions' is for runs that train an encoder, preset stylegan2-tiny"):
        reconstructions.make(make_context())
