"""The logistic losses against -log of the sigmoid."""

from __future__ import annotations

import math

import pytest
import torch

from limner.losses.logistic import discriminator_loss, generator_loss


def minus_log_sigmoid(x: float) -> float:
    return math.log(1 + math.exp(-x))


def test_generator_loss_is_the_mean_of_minus_log_sigmoid_of_the_fakes() -> None:
    logits = torch.tensor([[-2.0], [0.0], [3.0]])
    expected = (minus_log_sigmoid(-2) + minus_log_sigmoid(0) + minus_log_sigmoid(3)) / 3
    assert generator_loss(logits).item() == pytest.approx(expected)


def test_discriminator_loss_adds_reals_and_turned_fakes() -> None:
    real, fake = torch.tensor([[1.0], [-0.5]]), torch.tensor([[0.2], [4.0]])
    expected = (minus_log_sigmoid(1) + minus_log_sigmoid(-0.5)) / 2 + (
        minus_log_sigmoid(-0.2) + minus_log_sigmoid(-4)
    ) / 2
    assert discriminator_loss(real, fake).item() == pytest.approx(expected)
    assert discriminator_loss(torch.zeros(3, 1), torch.zeros(3, 1)).item() == pytest.approx(2 * math.log(2))


def test_the_generator_s_gradient_does_not_saturate_where_the_fakes_are_recognised() -> None:
    """d/dl softplus(-l) = -sigmoid(-l): 1 in size for very negative logits, where log(1 - D) would give 0."""
    logits = torch.tensor([[-30.0], [30.0]], requires_grad=True)
    generator_loss(logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.5], [0.0]]))


def test_huge_logits_stay_finite() -> None:
    assert generator_loss(torch.tensor([[-1e4]])).item() == pytest.approx(1e4)
    assert discriminator_loss(torch.tensor([[-1e4]]), torch.tensor([[1e4]])).item() == pytest.approx(2e4)
