"""The rule that says which resolutions a stack of 2x blocks can reach."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.config import base_grid
from limner.errors import ConfigError


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        ((4, 4), (4, 4, 0)),
        ((8, 8), (4, 4, 1)),
        ((28, 28), (7, 7, 2)),
        ((32, 32), (4, 4, 3)),
        ((64, 48), (4, 3, 4)),
        ((96, 64), (6, 4, 4)),
        ((1024, 1024), (4, 4, 8)),
        ((128, 320), (2, 5, 6)),
    ],
)
def test_known_resolutions_have_the_expected_base_grid(resolution, expected):
    assert base_grid(resolution) == expected


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 9))
def test_every_small_grid_times_a_power_of_two_is_found_again(base_h, base_w, doublings):
    if max(base_h, base_w) < 4:
        base_h += 3
    assert base_grid((base_h * 2**doublings, base_w * 2**doublings)) == (base_h, base_w, doublings)


@settings(deadline=None)
@given(st.integers(-2, 1200), st.integers(-2, 1200))
def test_a_resolution_is_either_built_up_exactly_or_refused_with_one_that_works(height, width):
    try:
        base_h, base_w, doublings = base_grid((height, width))
    except ConfigError as error:
        offered = re.findall(r"(\d+)x(\d+)", str(error).split("; use ")[1])
        assert len(offered) == 2
        for h, w in offered:
            base_grid((int(h), int(w)))
    else:
        assert (base_h * 2**doublings, base_w * 2**doublings) == (height, width)
        assert 4 <= max(base_h, base_w) <= 7


def test_the_nearest_resolutions_are_named():
    with pytest.raises(ConfigError, match=r"100x100.*use 96x96 or 112x112"):
        base_grid((100, 100))
    with pytest.raises(ConfigError, match=r"250x190.*use 256x192"):
        base_grid((250, 190))
