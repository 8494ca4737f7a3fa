"""The moving average of weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from limner.config import EmaConfig
from limner.training.ema import ema_decay, update_ema


class Small(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), value))
        self.scale = nn.Parameter(torch.tensor(value))
        self.register_buffer("w_avg", torch.full((2,), value))
        self.register_buffer("count", torch.tensor(int(value)))


def test_weights_follow_the_closed_form() -> None:
    """After n updates towards a constant b from a: b + (a - b) decay^n."""
    average, current = Small(1.0), Small(3.0)
    for _ in range(7):
        update_ema(average, current, 0.9)
    expected = 3.0 - 2.0 * 0.9**7
    torch.testing.assert_close(average.weight, torch.full((3,), expected))
    torch.testing.assert_close(average.scale, torch.tensor(expected))


def test_buffers_are_copied_whatever_their_type() -> None:
    average, current = Small(1.0), Small(3.0)
    update_ema(average, current, 0.9)
    assert torch.equal(average.w_avg, current.w_avg)
    assert int(average.count) == 3


def test_the_average_leaves_the_current_weights_and_the_graph_alone() -> None:
    average, current = Small(1.0), Small(3.0)
    update_ema(average, current, 0.5)
    assert torch.equal(current.weight, torch.full((3,), 3.0))
    assert average.weight.grad_fn is None


@settings(deadline=None, max_examples=50)
@given(kimg=st.floats(0.1, 500), batch=st.integers(1, 256))
def test_half_of_the_past_is_forgotten_after_the_half_life(kimg: float, batch: int) -> None:
    decay = ema_decay(EmaConfig(kimg=kimg), batch=batch, nimg=10**9)
    assert decay ** (kimg * 1000 / batch) == pytest.approx(0.5)


def test_the_ramp_up_limits_the_half_life_to_a_part_of_the_images_shown() -> None:
    config = EmaConfig(kimg=10, rampup=0.05)
    assert ema_decay(config, batch=16, nimg=4000) == pytest.approx(0.5 ** (16 / 200))
    assert ema_decay(config, batch=16, nimg=10**6) == pytest.approx(0.5 ** (16 / 10_000))


def test_a_half_life_of_zero_copies_the_weights() -> None:
    assert ema_decay(EmaConfig(kimg=0), batch=16, nimg=4000) == 0
