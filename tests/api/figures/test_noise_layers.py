"""Noise on some layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import noise_layers
from limner.images import to_pil
from limner.papers.base import seed_to_noises


def test_columns_have_noise_on_all_none_fine_and_coarse_layers(context: Contexts) -> None:
    G = network("stylegan2-tiny", use_noise=True)
    asked = context(G)
    assert noise_layers.draw(asked) == [asked.out / "noise-layers.png"]
    cells, captions = asked.tables["noise-layers"]
    assert captions["columns"] == [
        "all layers",
        "no noise",
        "fine layers\n16x16 and above",
        "coarse layers\nup to 8x8",
    ]
    assert captions["rows"] == ["seed 3", "enlarged", "seed 4", "enlarged"]
    noises = seed_to_noises(3, G.z_dim, G.noise_shapes)
    coarse = [noise if noise.shape[2] <= 8 else torch.zeros_like(noise) for noise in noises]
    expected = [
        G.synthesis(asked.ws(3), noises=noises),
        G.synthesis(asked.ws(3), noise_mode="none"),
        G.synthesis(asked.ws(3), noises=coarse),
    ]
    for place, images in zip((0, 1, 3), expected, strict=True):
        assert np.array_equal(pixels(cells[0][place]), pixels(to_pil(images)[0]))
    assert len({pixels(cell).tobytes() for cell in cells[0]}) == 4
    assert pixels(cells[1][0]).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("side", "lod", "level"), [(64, 0.0, 4), (128, 0.0, 4), (32, 0.0, 2), (16, 0.0, 2), (8, 0.0, 1), (64, 2.5, 2)]
)
def test_fine_begins_at_64_pixels_or_in_the_middle(context: Contexts, side: int, lod: float, level: int) -> None:
    G = network("stylegan-tiny", side)
    G.lod = lod
    assert noise_layers.fine_level(context(G)) == level


def test_a_network_that_grows_takes_noise_where_it_is(context: Contexts) -> None:
    G = network("stylegan-tiny", 32, use_noise=True)
    G.lod = 1.5
    asked = context(G)
    noise_layers.draw(asked)
    cells, _ = asked.tables["noise-layers"]
    assert len({pixels(cell).tobytes() for cell in cells[0]}) == 4


def test_a_network_without_noise_is_told_so(context: Contexts) -> None:
    assert noise_layers.draw(context(network("progan-tiny"))) == "this generator takes no noise"
