"""Style mixing: whose layers a picture has."""

from __future__ import annotations

import numpy as np

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import mixing
from limner.api.mixing import mixed


def test_rows_take_coarse_middle_and_fine_layers_from_the_sources(context: Contexts) -> None:
    asked = context(network("stylegan2-tiny"), seeds=tuple(range(11)))
    assert mixing.draw(asked) == [asked.out / "mixing.png", asked.out / "mixing-latents.png"]
    cells, captions = asked.tables["mixing"]
    assert [len(row) for row in cells] == [6] * 7
    assert cells[0][0] is None
    assert captions["columns"] == ["", "seed 0", "seed 1", "seed 2", "seed 3", "seed 4"]
    assert captions["rows"][1] == "coarse\nlayers 0-1\nseed 5"
    assert captions["rows"][6] == "fine\nlayers 4-5\nseed 10"
    for row, seed, layers in ((1, 5, (0, 1)), (4, 8, (2, 3)), (6, 10, (4, 5))):
        expected = asked.picture(mixed(asked.ws(seed), asked.ws(2), layers))
        assert np.array_equal(pixels(cells[row][3]), pixels(expected))
        assert np.array_equal(pixels(cells[row][0]), pixels(asked.picture(asked.ws(seed))))
    assert np.array_equal(pixels(cells[0][3]), pixels(asked.picture(asked.ws(2))))


def test_one_latent_is_the_seed_and_several_begin_with_it(context: Contexts) -> None:
    asked = context(network("stylegan-tiny"))
    mixing.draw(asked)
    cells, captions = asked.tables["mixing-latents"]
    assert captions["rows"] == ["1 latent", "2 latents", "3 latents", "4 latents"]
    assert np.array_equal(pixels(cells[0][1]), pixels(asked.picture(asked.ws(4))))
    assert len({pixels(row[1]).tobytes() for row in cells}) == 4


def test_a_network_that_grows_mixes_the_layers_in_use(context: Contexts) -> None:
    G = network("stylegan-tiny", 32)
    G.lod = 2.0  # 8x8: 4 layers
    asked = context(G)
    mixing.draw(asked)
    groups = [row.partition("\nseed")[0] for row in asked.tables["mixing"][1]["rows"]]
    assert groups == ["", *["coarse\nlayers 0-1"] * 3, *["middle\nlayers 2-2"] * 2, "fine\nlayers 3-3"]
    assert len(asked.tables["mixing-latents"][0]) == 4
    G.lod = 3.0  # 4x4: 2 layers, none of them fine
    mixing.draw(asked)
    assert len(asked.tables["mixing"][0]) == 6
    assert len(asked.tables["mixing-latents"][0]) == 2


def test_one_w_for_the_whole_picture_cannot_be_mixed(context: Contexts) -> None:
    assert mixing.draw(context(network("progan-tiny"))) == (
        "one w controls the whole picture (num_ws = 1), so there are no layers to mix"
    )
