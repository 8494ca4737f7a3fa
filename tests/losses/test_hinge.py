"""The hinge loss against its corners."""

from __future__ import annotations

import pytest
import torch

from limner.losses.hinge import USES_REAL_LOGITS, discriminator_loss, generator_loss


def test_the_discriminator_pays_for_what_is_on_the_wrong_side_of_its_margins() -> None:
    real, fake = torch.tensor([[2.0], [0.5], [-1.0]]), torch.tensor([[-3.0], [0.0], [1.0]])
    assert discriminator_loss(real, fake).item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3)


def test_pictures_beyond_the_margin_give_no_gradient() -> None:
    real = torch.tensor([[2.0], [0.5]], requires_grad=True)
    fake = torch.tensor([[-2.0], [-0.5]], requires_grad=True)
    discriminator_loss(real, fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([[0.0], [-0.5]]))
    torch.testing.assert_close(fake.grad, torch.tensor([[0.0], [0.5]]))


def test_the_generator_s_loss_is_minus_the_mean_of_the_fakes() -> None:
    assert generator_loss(torch.tensor([[1.0], [-4.0]])).item() == pytest.approx(1.5)
    assert not USES_REAL_LOGITS
