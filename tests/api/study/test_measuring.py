"""Numbers of trials: kept with what decided them, estimated over the first pictures, compared in pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from api.study.conftest import Make
from limner.api.study.bench import Bench
from limner.api.study.contenders import Trial, contenders, run
from limner.api.study.measuring import MEASURES, Measured, Measurer, kept


def measured(bench: Bench, make: Make, folder: Path, name: str, count: int = 12) -> tuple[Measurer, Measured]:
    measurer = Measurer(bench, make(), folder / "measured", ())
    trial = Trial(contender=contenders(make())[name], pictures="held-out", count=count)
    outcome = run(bench, trial, folder, 4, lambda updates: None)
    assert outcome is not None
    return measurer, measurer.measure(trial, outcome)


def test_arrays_are_made_once_a_key_and_again_when_damaged(tmp_path: Path) -> None:
    path, calls = tmp_path / "x.safetensors", []

    def make() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"a": np.arange(3.0)}

    assert list(kept(path, "one", make)["a"]) == list(kept(path, "one", make)["a"]) == [0, 1, 2]
    assert len(calls) == 1
    kept(path, "two", make)
    assert len(calls) == 2
    path.write_bytes(b"damaged")
    kept(path, "two", make)
    assert len(calls) == 3


def test_estimates_are_over_the_first_pictures_asked_for(bench: Bench, make: Make, tmp_path: Path) -> None:
    measurer, found = measured(bench, make, tmp_path, "guided")
    for name in ("mse", "ssim", "mahalanobis", "realness", "self_consistency"):
        assert name in MEASURES
        estimate = measurer.estimate(found, name, 5)
        assert estimate is not None
        assert estimate.value == pytest.approx(found.numbers[name][:5].mean())
        assert estimate.low <= estimate.value <= estimate.high
    assert measurer.estimate(found, "code_error") is None
    assert measurer.estimate(found, "precision") is None


def test_a_trial_does_not_differ_from_itself(bench: Bench, make: Make, tmp_path: Path) -> None:
    measurer, found = measured(bench, make, tmp_path, "guided")
    for name in ("mse", "fd", "swd", "fd_midpoints"):
        difference = measurer.difference(found, found, name)
        assert difference is not None
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_sets_of_other_sizes_are_compared_on_what_both_have(bench: Bench, make: Make, tmp_path: Path) -> None:
    measurer, whole = measured(bench, make, tmp_path, "guided")
    _, part = measured(bench, make, tmp_path, "conventional", 5)
    difference = measurer.difference(whole, part, "mse")
    assert difference is not None
    expected = whole.numbers["mse"][:5].mean() - part.numbers["mse"].mean()
    assert difference.value == pytest.approx(expected)
    assert "swd" not in part.numbers
    assert measurer.difference(whole, part, "swd") is None
