"""Durations and file names."""

from __future__ import annotations

import pytest

from limner.training.clock import duration_text, kimg_name, sample_name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (44.6, "45s"),
        (59.7, "1m 00s"),
        (725, "12m 05s"),
        (3720, "1h 02m"),
        (183600, "2d 03h"),
    ],
)
def test_durations_show_their_two_largest_units(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("nimg", "name"), [(0, "000000"), (999, "000000"), (4032, "000004"), (25_000_000, "025000")])
def test_snapshots_are_named_by_whole_kimg(nimg, name):
    assert kimg_name(nimg) == name


def test_sample_grids_of_short_runs_do_not_share_the_name_of_the_first():
    assert [sample_name(nimg) for nimg in (0, 64, 384, 1000, 4032)] == [
        "000000",
        "000000.064",
        "000000.384",
        "000001",
        "000004",
    ]
