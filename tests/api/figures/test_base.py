"""What figures share: seeds, cells, hooks, windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures.base import blocks, busiest_window, grey, recorded, spread, write_text
from limner.errors import LimnerError


def test_seeds_go_on_after_the_largest(context: Contexts) -> None:
    asked = context(network("stylegan2-tiny"), seeds=(7, 2))
    assert asked.first_seeds(1) == [7]
    assert asked.first_seeds(5) == [7, 2, 8, 9, 10]


def test_seeds_begin_again_after_the_last_there_is(context: Contexts) -> None:
    assert context(network("stylegan2-tiny"), seeds=(2**32 - 1,)).first_seeds(3) == [2**32 - 1, 0, 1]


def test_a_picture_is_the_one_sample_makes(context: Contexts) -> None:
    G = network("stylegan-tiny")
    asked = context(G, truncation_psi=0.7)
    assert np.array_equal(pixels(asked.picture(asked.ws(4))), pixels(G.sample([4], truncation_psi=0.7)[0]))


@pytest.mark.parametrize(
    ("resolution", "cell"),
    [((16, 16), (128, 128)), ((48, 64), (128, 96)), ((256, 128), (128, 256)), ((512, 1024), (256, 128))],
)
def test_cells_are_of_a_size_to_look_at(context: Contexts, resolution: tuple[int, int], cell: tuple[int, int]) -> None:
    G = network("stylegan2-tiny")
    G.img_resolution = resolution
    assert context(G).cell == cell


@pytest.mark.parametrize(("preset", "lod", "count"), [("stylegan-tiny", 0.0, 6), ("stylegan-tiny", 1.5, 4)])
def test_layers_in_use_grow_with_the_network(context: Contexts, preset: str, lod: float, count: int) -> None:
    G = network(preset)
    G.lod = lod
    assert context(G).num_layers == count
    assert context(network("progan-tiny")).num_layers == 1


@pytest.mark.parametrize("preset", ["progan-tiny", "stylegan-tiny", "stylegan2-tiny"])
def test_every_room_names_its_blocks_alike(preset: str) -> None:
    assert list(blocks(network(preset))) == ["b4", "b8", "b16"]


def test_what_modules_return_is_recorded_only_while_asked() -> None:
    first, second = torch.nn.Identity(), torch.nn.ReLU()
    with recorded({"first": first, "second": second}) as outputs:
        first(torch.ones(2))
    second(torch.ones(2))
    first(torch.zeros(2))
    assert list(outputs) == ["first"]
    assert outputs["first"].tolist() == [1, 1]


def test_the_busiest_window_lies_around_the_largest_values() -> None:
    values = torch.zeros(16, 32)
    values[5, 20] = values[8, 27] = 1
    assert busiest_window(values) == (20, 5, 28, 9)


def test_evenly_spread_paths_keep_the_first_and_the_last() -> None:
    paths = [Path(str(number)) for number in range(10)]
    assert [path.name for path in spread(paths, 4)] == ["0", "3", "6", "9"]
    assert spread(paths, 10) == paths


def test_maps_become_grey_and_are_cut_at_white() -> None:
    assert pixels(grey(torch.tensor([[0.0, 0.2, 1.0, 7.0]]))).tolist() == [[0, 51, 255, 255]]


def test_numbers_become_a_table_of_text(context: Contexts) -> None:
    path = context(network("stylegan2-tiny")).save_numbers("some", ("a", "b"), [("x", 1), ("y,z", 2)])
    assert path.read_text() == 'a,b\nx,1\n"y,z",2\n'


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(LimnerError, match=r"cannot write '.*out.page\.html'.*choose another folder"):
        write_text(tmp_path / "out" / "page.html", "text")
