"""The least squares loss against its squares."""

from __future__ import annotations

import pytest
import torch

from limner.losses.lsgan import USES_REAL_LOGITS, discriminator_loss, generator_loss


def test_d_is_to_answer_zero_to_real_and_with_a_tenth_of_the_weight_one_to_generated_pictures() -> None:
    real, fake = torch.tensor([[0.5], [-1.0]]), torch.tensor([[2.0], [0.0]])
    assert discriminator_loss(real, fake).item() == pytest.approx((0.25 + 1) / 2 + 0.1 * (1 + 1) / 2)
    assert discriminator_loss(torch.zeros(3, 1), torch.ones(3, 1)) == 0


def test_g_is_to_make_d_answer_zero() -> None:
    assert generator_loss(torch.tensor([[3.0], [1.0]])).item() == pytest.approx(5)
    assert generator_loss(torch.zeros(2, 1)) == 0
    assert not USES_REAL_LOGITS


def test_the_gradients_are_twice_the_distances_from_the_targets() -> None:
    real, fake = torch.tensor([[0.5]], requires_grad=True), torch.tensor([[3.0]], requires_grad=True)
    discriminator_loss(real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad.item(), fake.grad.item()) == pytest.approx((1.0, 0.4))
