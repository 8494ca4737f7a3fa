"""Intervals by resampling: against the normal theory, and paired."""

from __future__ import annotations

import numpy as np
import pytest

from limner.api.study.intervals import interval, mean_difference, mean_interval


def test_a_mean_has_the_interval_that_theory_gives() -> None:
    values = np.random.RandomState(0).randn(400) * 3 + 10
    found = mean_interval(values)
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.2 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.2 * error)


def test_differences_are_paired_so_that_what_pictures_share_does_not_count() -> None:
    rng = np.random.RandomState(0)
    shared = rng.randn(50) * 100
    found = mean_difference(shared + 1, shared + rng.randn(50) * 0.1)
    assert 0.9 < found.low < found.value < found.high < 1.1


def test_the_shorter_set_decides_how_many_pictures_are_compared() -> None:
    found = mean_difference(np.array([2.0, 2.0, 9.0]), np.array([1.0, 1.0]))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_a_seed_gives_one_interval() -> None:
    values = np.random.RandomState(1).randn(30)
    first, again, other = (interval(lambda c: float(values[c].mean()), 30, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
