"""The mosaic of uncurated pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import uncurated


def test_columns_halve_the_pictures_and_use_every_seed_once(context: Contexts) -> None:
    G = network("stylegan2-tiny", 32)
    asked = context(G, seeds=(7,))
    (path,) = uncurated.draw(asked)
    factor = 800 // (32 + 5 * 16)
    with Image.open(path) as sheet:
        assert sheet.size == (factor * (32 + 5 * 16), factor * 3 * 32)
        mosaic = pixels(sheet)[::factor, ::factor]
    drawn = G.sample(list(range(7, 7 + 3 + 5 * 6)))
    assert np.array_equal(mosaic[32:64, :32], pixels(drawn[1]))
    assert np.array_equal(mosaic[:16, 32:48], pixels(drawn[3].reduce(2)))
    assert np.array_equal(mosaic[-16:, -16:], pixels(drawn[-1].reduce(2)))


def test_pictures_of_16_pixels_are_not_halved(context: Contexts) -> None:
    with Image.open(uncurated.draw(context(network("progan-tiny")))[0]) as sheet:
        assert sheet.width / sheet.height == 6 / 3
