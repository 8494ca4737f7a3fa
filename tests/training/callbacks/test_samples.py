"""Sample grids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from limner import latents
from limner.images import to_uint8
from limner.training.callbacks import samples
from limner.training.callbacks.samples import choose_cells, grid_paths, grid_shape

ROWS, COLUMNS = 9, 12


def pixels(path):
    return np.asarray(Image.open(path))


def cell(sheet, index, columns=COLUMNS):
    row, column = divmod(index, columns)
    return sheet[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]


@pytest.mark.parametrize(
    ("resolution", "shape"),
    [
        ((32, 32), (9, 12)),
        ((64, 64), (6, 8)),
        ((128, 128), (6, 8)),
        ((256, 256), (3, 4)),
        ((1024, 1024), (2, 2)),
        ((64, 512), (6, 2)),
    ],
)
def test_the_grid_suits_the_resolution(resolution, shape):
    assert grid_shape(resolution) == shape


def test_a_fresh_run_starts_with_real_pictures_and_the_untrained_network(make_context, make_state):
    context = make_context()
    samples.make(context).on_start(make_state(context))
    written = sorted(path.name for path in (context.run_dir / "samples").iterdir())
    assert written == ["000000.png", "reals.png"]
    assert pixels(context.run_dir / "samples" / "reals.png").shape == (ROWS * 16, COLUMNS * 16, 3)
    assert context.shared["grid"] == context.run_dir / "samples" / "000000.png"


def test_cell_i_shows_seed_i_with_constant_noise_and_no_truncation(make_context, make_state):
    context = make_context()
    state = make_state(context)
    samples.make(context).on_start(state)
    sheet = pixels(context.shared["grid"])
    with torch.no_grad():
        expected = to_uint8(state.G_ema(latents.seeds_to_z([0, 13, 50], state.G_ema.z_dim)))
    for seed, picture in zip((0, 13, 50), expected, strict=True):
        np.testing.assert_allclose(cell(sheet, seed).astype(int), picture.astype(int), atol=1)


def test_real_pictures_are_those_of_the_data_set(make_context, make_state):
    context = make_context()
    samples.make(context).on_start(make_state(context))
    sheet = pixels(context.run_dir / "samples" / "reals.png")
    known = {context.dataset.image(i).tobytes() for i in range(len(context.dataset))}
    shown = {cell(sheet, i).transpose(2, 0, 1).tobytes() for i in range(ROWS * COLUMNS)}
    assert shown == known  # 108 cells show all 24


def test_a_grid_is_written_at_snapshots_and_where_the_run_ends(make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    callback = samples.make(context)
    callback.on_start(state)
    for nimg, snapshot in ((1000, False), (2000, True), (3000, False)):
        state.nimg = nimg
        callback.on_tick(state, stats(state, snapshot=snapshot))
    callback.on_end(state)
    assert [path.stem for path in grid_paths(context.run_dir)] == ["000000", "000002", "000003"]
    assert context.shared["grid"].stem == "000003"


def test_the_end_does_not_write_the_last_snapshot_again(make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    callback = samples.make(context)
    callback.on_start(state)
    state.nimg = 2000
    callback.on_tick(state, stats(state, snapshot=True))
    context.shared["grid"].unlink()
    callback.on_end(state)
    assert not context.shared["grid"].exists()


def test_resuming_keeps_the_first_grid(make_context, make_state):
    context = make_context()
    samples.make(context).on_start(make_state(context))
    first = pixels(context.shared["grid"])
    resumed = make_context()
    state = make_state(resumed, nimg=2000)
    with torch.no_grad():
        for parameter in state.G_ema.parameters():
            parameter.mul_(0.5)
    samples.make(resumed).on_start(state)
    assert resumed.shared["grid"].stem == "000000"
    np.testing.assert_array_equal(pixels(resumed.shared["grid"]), first)


def test_before_and_after_show_the_first_and_the_newest_grid(make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    callback = samples.make(context)
    callback.on_start(state)
    before_after = context.run_dir / "samples" / "before_after.png"
    assert not before_after.exists()
    with torch.no_grad():
        for parameter in state.G_ema.parameters():
            parameter.mul_(1.1)
    state.nimg = 2000
    callback.on_tick(state, stats(state, snapshot=True))
    strip = pixels(before_after)
    height, width = ROWS * 16, COLUMNS * 16
    np.testing.assert_array_equal(strip[-height:, :width], pixels(grid_paths(context.run_dir)[0]))
    np.testing.assert_array_equal(strip[-height:, -width:], pixels(grid_paths(context.run_dir)[1]))


def test_augmented_real_pictures_are_shown_when_the_run_augments(make_context, make_state):
    context = make_context(augment=lambda images: images.flip(2))
    samples.make(context).on_start(make_state(context))
    reals, augmented = (pixels(context.run_dir / "samples" / f"{name}.png") for name in ("reals", "augmented"))
    np.testing.assert_array_equal(cell(augmented, 5), cell(reals, 5)[::-1])


def test_classes_fill_a_row_each(make_context, make_state):
    context = make_context(c_dim=3)
    state = make_state(context)
    samples.make(context).on_start(state)
    sheet = pixels(context.run_dir / "samples" / "reals.png")
    assert sheet.shape == (3 * 16, COLUMNS * 16, 3)
    for row in range(3):
        for column in range(COLUMNS):
            assert (cell(sheet, row * COLUMNS + column)[:8] == 255 - 100 * row).all()
    grid = pixels(context.shared["grid"])
    with torch.no_grad():
        picture = to_uint8(state.G_ema(latents.seeds_to_z([COLUMNS], 16), torch.eye(3)[1:2]))[0]
    np.testing.assert_allclose(cell(grid, COLUMNS).astype(int), picture.astype(int), atol=1)


def test_of_many_classes_evenly_spread_ones_are_shown():
    class Many:
        resolution = (64, 64)

        class labels:
            kind = "classes"
            values = np.arange(1000) % 100

        def __len__(self):
            return 1000

    cells, columns = choose_cells(Many(), 0, by_class=True)
    shown = Many.labels.values[cells].reshape(-1, columns)
    assert shown[:, 0].tolist() == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    assert (shown == shown[:, :1]).all()


def test_global_random_streams_are_left_alone(make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    samples.make(context).on_start(state)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
