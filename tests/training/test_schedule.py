"""What changes with the images shown."""

from __future__ import annotations

import math
from typing import Any

import pytest

from limner.config import RunConfig, ScheduleConfig
from limner.errors import ConfigError
from limner.training.schedule import batches, check_schedule, lod_at, moment, resolutions, stages
from training.runs import tiny


def growing(**changes: Any) -> RunConfig:
    """A run that grows from 4 to 16 pixels: 2 kimg at a resolution, then 3 kimg of fading."""
    pace = {"schedule__grow": True, "schedule__stable_kimg": 2.0, "schedule__fade_kimg": 3.0, "total_kimg": 12.0}
    return tiny("samples", 1, **{**pace, **changes})


def test_without_a_ramp_up_the_learning_rate_is_whole_from_the_start() -> None:
    assert moment(tiny("samples", 1), 0).g_lr == 0.0025


def test_the_learning_rate_rises_along_a_gaussian_to_its_whole() -> None:
    config = tiny("samples", 1, schedule__lr_rampup_kimg=2.0)
    for rates in (
        [moment(config, nimg).g_lr for nimg in range(0, 2001, 250)],
        [moment(config, nimg).d_lr for nimg in range(0, 2001, 250)],
    ):
        assert rates[0] == pytest.approx(0.0025 * math.exp(-5))
        assert rates[4] == pytest.approx(0.0025 * math.exp(-5 / 4))
        assert rates == sorted(rates)
        assert rates[-1] == 0.0025
    assert moment(config, 10**6).g_lr == 0.0025


def test_the_batch_is_that_of_the_configuration() -> None:
    assert moment(tiny("samples", 1, batch=24), 5000).batch == 24


def test_each_resolution_trains_and_then_the_next_fades_in() -> None:
    """Worked out by hand: from lod 2, a whole number for 2 kimg, then down by 1 over 3 kimg, twice."""
    schedule = growing().schedule
    expected = {0: 2, 1000: 2, 2000: 2, 3500: 1.5, 4999: 1 + 1 / 3000, 5000: 1, 7000: 1, 8500: 0.5, 10000: 0, 99999: 0}
    assert {nimg: lod_at(schedule, 16, nimg) for nimg in expected} == pytest.approx(expected)


def test_the_resolution_switches_as_soon_as_a_fade_begins() -> None:
    config = growing()
    assert [moment(config, nimg).resolution for nimg in (0, 2000, 2001, 5000, 7001, 20000)] == [4, 4, 8, 8, 16, 16]


def test_a_fade_of_no_length_is_a_step() -> None:
    schedule = growing(schedule__fade_kimg=0.0).schedule
    assert [lod_at(schedule, 16, nimg) for nimg in (0, 1999, 2000, 3999, 4000)] == [2, 2, 1, 1, 0]


def test_growing_without_any_length_is_over_at_once() -> None:
    assert lod_at(ScheduleConfig(grow=True, stable_kimg=0, fade_kimg=0), 16, 0) == 0


def test_growing_can_be_switched_off() -> None:
    config = growing(schedule__grow=False)
    assert [moment(config, nimg).lod for nimg in (0, 3500, 99999)] == [0, 0, 0]
    assert resolutions(config.schedule, 16) == [16]


def test_batch_and_learning_rate_follow_the_resolution() -> None:
    config = growing(
        schedule__batch_by_resolution="4:32,8:16,16:8", schedule__lr_by_resolution="16:0.01", optimizer__d_lr=0.005
    )
    assert [moment(config, nimg).batch for nimg in (0, 2001, 7001)] == [32, 16, 8]
    assert [moment(config, nimg).g_lr for nimg in (0, 2001, 7001)] == [0.0025, 0.0025, 0.01]
    assert [moment(config, nimg).d_lr for nimg in (0, 2001, 7001)] == [0.005, 0.005, 0.01]
    assert batches(config) == [32, 16, 8]
    assert moment(growing(schedule__grow=False, schedule__batch_by_resolution="16:8"), 0).batch == 8


def test_the_parts_of_a_run_add_up_to_its_length() -> None:
    parts = stages(growing())
    assert [(now.lod, now.resolution, kimg) for now, kimg in parts] == [(2, 4, 2), (1, 8, 5), (0, 16, 5)]
    assert [(now.lod, kimg) for now, kimg in stages(tiny("samples", 1, total_kimg=3.0))] == [(0, 3)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule__initial_resolution": 6}, "initial_resolution: got 6, expected one of 4, 8, 16"),
        ({"schedule__initial_resolution": 32}, "initial_resolution: got 32, expected one of 4, 8, 16"),
        ({"total_kimg": 9.0}, "from 4 to 16 pixels takes 10 kimg, but the run ends after 9; give a larger --kimg"),
        ({"schedule__batch_by_resolution": "4:8,16:8"}, "got 4:8,16:8, expected .* 4, 8, 16; add 8:N"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_schedule(growing(**changes))


def test_a_schedule_that_makes_sense_is_taken() -> None:
    check_schedule(growing())
    check_schedule(growing(schedule__grow=False, total_kimg=0.1))
    check_schedule(tiny("samples", 1))


def test_learning_rates_fall_smoothly_with_the_images_shown() -> None:
    """By the factor every `lr_decay_kimg`, whatever the batch; after half of that by its square root."""
    config = tiny("samples", 1, schedule__lr_decay=0.8, schedule__lr_decay_kimg=2.0, optimizer__d_lr=0.001)
    rates = [moment(config, nimg).d_lr for nimg in (0, 1000, 2000, 6000)]
    assert rates == pytest.approx([0.001, 0.001 * 0.8**0.5, 0.0008, 0.001 * 0.8**3])
    assert moment(config, 2000).g_lr == pytest.approx(0.8 * config.optimizer.g_lr)


def test_learning_rates_rise_and_fall_together() -> None:
    config = tiny("samples", 1, schedule__lr_decay=0.5, schedule__lr_rampup_kimg=1.0, schedule__lr_decay_kimg=1.0)
    risen = moment(tiny("samples", 1, schedule__lr_rampup_kimg=1.0), 500).g_lr
    assert moment(config, 500).g_lr == pytest.approx(risen * 0.5**0.5)
