"""What changes with the images shown."""

from __future__ import annotations

import math

import pytest

from limner.training.schedule import moment
from training.runs import tiny


def test_without_a_ramp_up_the_learning_rate_is_whole_from_the_start() -> None:
    assert moment(tiny("samples", 1), 0).lr_scale == 1


def test_the_learning_rate_rises_along_a_gaussian_to_its_whole() -> None:
    config = tiny("samples", 1, schedule__lr_rampup_kimg=2.0)
    scales = [moment(config, nimg).lr_scale for nimg in range(0, 2001, 250)]
    assert scales[0] == pytest.approx(math.exp(-5))
    assert scales[4] == pytest.approx(math.exp(-5 / 4))
    assert scales == sorted(scales)
    assert scales[-1] == 1
    assert moment(config, 10**6).lr_scale == 1


def test_the_batch_is_that_of_the_configuration() -> None:
    assert moment(tiny("samples", 1, batch=24), 5000).batch == 24
