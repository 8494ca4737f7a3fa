"""Ways through Z and W."""

from __future__ import annotations

import numpy as np
import pytest

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import interpolation


@pytest.mark.parametrize("preset", ["progan-tiny", "stylegan-tiny", "stylegan2-tiny"])
def test_both_ways_meet_at_their_ends(context: Contexts, preset: str) -> None:
    asked = context(network(preset, c_dim=2), label=1, truncation_psi=0.8)
    assert interpolation.draw(asked) == [asked.out / "interpolation.png"]
    cells, captions = asked.tables["interpolation"]
    assert captions["rows"][:3] == ["Z\n3 to 4", "W\n3 to 4", "Z\n5 to 6"]
    assert captions["columns"] == ["0", "0.125", "0.25", "0.375", "0.5", "0.625", "0.75", "0.875", "1"]
    for along_z, along_w, seeds in zip(cells[::2], cells[1::2], ((3, 4), (5, 6), (7, 8)), strict=True):
        for end, seed in zip((0, -1), seeds, strict=True):
            expected = pixels(asked.picture(asked.ws(seed)))
            assert np.abs(pixels(along_z[end]) - expected).max() <= 1
            assert np.abs(pixels(along_w[end]) - expected).max() <= 1


def test_the_middle_in_w_is_the_mean_of_w(context: Contexts) -> None:
    asked = context(network("stylegan2-tiny"))
    interpolation.draw(asked)
    middle = asked.picture((asked.ws(3) + asked.ws(4)) / 2)
    assert np.abs(pixels(asked.tables["interpolation"][0][1][4]) - pixels(middle)).max() <= 1
