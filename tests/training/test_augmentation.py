"""The control of augmentation: p moves by the right amount, in the right direction."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from limner.config import RunConfig
from limner.training import augmentation
from limner.training.distributed import Processes
from limner.training.state import TrainingState
from training.runs import tiny

CPU = torch.device("cpu")


def adjusted(config: RunConfig, p: float, *mean_signs: float) -> float:
    state = cast(TrainingState, SimpleNamespace(augment_p=torch.tensor(p), augment_stats=torch.zeros(2)))
    for mean_sign in mean_signs:
        augmentation.count_signs(state, torch.tensor(mean_sign))
    augmentation.adjust(state, config.augment, Processes(), config.batch)
    assert torch.equal(state.augment_stats, torch.zeros(2)), "the next measurement starts anew"
    return float(state.augment_p)


def ada(**changes: Any) -> RunConfig:
    return tiny("samples", 1, augment__mode="ada", **changes)


def test_p_rises_by_the_images_shown_over_the_speed_when_d_is_too_sure() -> None:
    """Batch 8, every 4 iterations, 1 in 500 kimg: 32 / 500,000."""
    assert adjusted(ada(), 0.5, 0.7, 0.9) == pytest.approx(0.5 + 32 / 500_000)


def test_p_falls_by_as_much_when_d_is_unsure() -> None:
    assert adjusted(ada(), 0.5, 0.7, 0.3) == pytest.approx(0.5 - 32 / 500_000)


def test_the_target_decides() -> None:
    assert adjusted(ada(augment__target=0.2), 0.5, 0.3) > 0.5
    assert adjusted(ada(augment__target=0.2), 0.5, 0.1) < 0.5


def test_p_moves_five_times_as_fast_for_transfer_learning() -> None:
    fast, slow = (adjusted(ada(augment__speed_kimg=kimg), 0.5, 0.9) - 0.5 for kimg in (100, 500))
    assert fast == pytest.approx(5 * slow, rel=1e-3)
    assert fast == pytest.approx(32 / 100_000, rel=1e-3)


def test_p_covers_one_in_the_speed_whatever_batch_and_interval() -> None:
    for batch, interval in ((8, 4), (16, 1)):
        config = ada(batch=batch, augment__interval=interval, augment__speed_kimg=1.6)
        p = 0.0
        for _ in range(1600 // (batch * interval)):
            p = adjusted(config, p, 1.0)
        assert p == pytest.approx(1.0, rel=1e-5)


def test_p_never_falls_below_zero() -> None:
    assert adjusted(ada(augment__speed_kimg=0.1), 0.1, -1.0) == 0


def test_p_stays_when_the_target_is_met_exactly() -> None:
    assert adjusted(ada(augment__target=0.5), 0.3, 0.25, 0.75) == pytest.approx(0.3)


def test_the_augmentation_follows_p_as_it_moves() -> None:
    p = torch.tensor(0.0)
    augment = augmentation.build(ada().augment, p, CPU)
    assert augment is not None
    images = torch.rand(8, 3, 16, 16) * 2 - 1
    draws = lambda: augmentation.SharedDraws(torch.Generator().manual_seed(0), batch=8)  # noqa: E731
    assert torch.equal(augment(images, draws()), images)
    p.fill_(1.0)
    assert not torch.equal(augment(images, draws()), images)


def test_there_is_no_augmentation_without_a_mode() -> None:
    config = tiny("samples", 1)
    assert augmentation.build(config.augment, torch.tensor(1.0), CPU) is None
    assert augmentation.preview(config.augment, CPU, 0) is None


@pytest.mark.parametrize("mode", ["ada", "fixed", "diffaugment"])
def test_the_preview_shows_the_augmentation_at_work_and_depends_on_the_seed_alone(mode: str) -> None:
    config = tiny("samples", 1, augment__mode=mode, augment__p=0.5 if mode == "fixed" else 0.0)
    images = torch.rand(8, 3, 16, 16) * 2 - 1
    shown = [augmentation.preview(config.augment, CPU, seed) for seed in (3, 3, 4)]
    one, same, other = (preview(images) for preview in shown if preview is not None)
    assert one.shape == images.shape
    assert not torch.equal(one, images)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
