"""The truncation sweep."""

from __future__ import annotations

import numpy as np
import pytest

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import truncation


@pytest.mark.parametrize("preset", ["progan-tiny", "stylegan-tiny", "stylegan2-tiny"])
def test_at_psi_0_all_seeds_are_one_picture_and_at_1_as_drawn(context: Contexts, preset: str) -> None:
    G = network(preset)
    asked = context(G, truncation_psi=0.3)  # has no say here
    assert truncation.draw(asked) == [asked.out / "truncation.png"]
    cells, captions = asked.tables["truncation"]
    assert captions["columns"] == ["psi 1", "psi 0.7", "psi 0.5", "psi 0", "psi -0.5", "psi -1"]
    assert captions["rows"] == ["seed 3", "seed 4", "seed 5", "seed 6"]
    assert all(np.array_equal(pixels(row[3]), pixels(cells[0][3])) for row in cells)
    for row, seed in zip(cells, (3, 4, 5, 6), strict=True):
        assert np.array_equal(pixels(row[0]), pixels(G.sample([seed])[0]))


def test_beyond_8_layers_a_second_sheet_truncates_the_coarse_ones_alone(context: Contexts) -> None:
    G = network("stylegan2-tiny", 64)
    asked = context(G)
    assert [path.name for path in truncation.draw(asked)] == ["truncation.png", "truncation-cutoff.png"]
    cells, _ = asked.tables["truncation-cutoff"]
    expected = G.sample([4], truncation_psi=0.0, truncation_cutoff=8)[0]
    assert np.array_equal(pixels(cells[1][3]), pixels(expected))
    assert not np.array_equal(pixels(cells[1][3]), pixels(cells[0][3]))
