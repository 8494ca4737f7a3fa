"""Multiplicative noise and the rule of its strength, against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.multiplicative_noise import advance_score, multiplicative_noise, noise_strength


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_every_channel_of_a_sample_is_scaled_by_one_number() -> None:
    x, noise = torch.randn(2, 4, 3, 5), torch.randn(2, 4, 1, 1)
    y = multiplicative_noise(x, noise, torch.tensor(0.5))
    torch.testing.assert_close(y, x * (1 + 0.5 * 2 * noise))  # sqrt(4 channels) = 2
    torch.testing.assert_close(multiplicative_noise(x, noise, torch.tensor(0.0)), x)


def test_its_deviation_is_the_strength_times_the_root_of_the_number_of_channels() -> None:
    y = multiplicative_noise(torch.ones(1000, 9, 1, 1), torch.randn(1000, 9, 1, 1), torch.tensor(0.1))
    assert y.std().item() == pytest.approx(0.3, rel=0.03)
    assert y.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("score", "strength"), [(-1.0, 0.0), (0.5, 0.0), (0.6, 0.002), (1.0, 0.05), (2.5, 0.8)])
def test_the_strength_grows_with_the_square_of_the_overshoot(score: float, strength: float) -> None:
    assert noise_strength(torch.tensor(score)).item() == pytest.approx(strength, rel=1e-5)


def test_the_score_follows_the_mean_output_with_decay_nine_tenths_and_without_gradients() -> None:
    logits = torch.tensor([[1.0], [3.0]], requires_grad=True)
    score = torch.tensor(0.0)
    for count in range(1, 5):
        score = advance_score(score, logits)
        assert score.item() == pytest.approx(2 * (1 - 0.9**count))
    assert not score.requires_grad


def test_first_and_second_derivatives_are_right() -> None:
    x = torch.randn(2, 3, 2, 2).double().requires_grad_()
    noise, strength = torch.randn(2, 3, 1, 1).double(), torch.tensor(0.3).double()
    assert gradcheck(multiplicative_noise, (x, noise, strength))
    assert gradgradcheck(multiplicative_noise, (x, noise, strength))
