"""The relativistic pairing loss: only differences within pairs count."""

from __future__ import annotations

import math

import pytest
import torch

from limner.errors import ConfigError, ShapeError
from limner.losses import logistic
from limner.losses.relativistic import USES_REAL_LOGITS, discriminator_loss, generator_loss


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_both_losses_are_minus_log_sigmoid_of_the_difference_within_a_pair() -> None:
    real, fake = torch.tensor([[1.0], [0.0]]), torch.tensor([[-1.0], [3.0]])
    margins = (2.0, -3.0)
    assert discriminator_loss(real, fake).item() == pytest.approx(
        sum(math.log(1 + math.exp(-margin)) for margin in margins) / 2
    )
    assert generator_loss(fake, real).item() == pytest.approx(
        sum(math.log(1 + math.exp(margin)) for margin in margins) / 2
    )
    assert USES_REAL_LOGITS


def test_a_constant_added_to_all_logits_changes_nothing_and_exchanging_the_sides_exchanges_the_losses() -> None:
    real, fake = torch.randn(6, 1), torch.randn(6, 1)
    torch.testing.assert_close(
        discriminator_loss(real + 100, fake + 100), discriminator_loss(real, fake), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(generator_loss(fake, real), discriminator_loss(fake, real))


def test_against_reals_of_logit_zero_the_generator_s_loss_is_the_logistic_one() -> None:
    fake = torch.randn(6, 1)
    torch.testing.assert_close(generator_loss(fake, torch.zeros(6, 1)), logistic.generator_loss(fake))


def test_a_generator_s_loss_without_real_logits_is_refused() -> None:
    with pytest.raises(ConfigError, match="got no real_logits, expected one for every generated picture"):
        generator_loss(torch.zeros(2, 1))


def test_batches_of_two_sizes_are_refused_instead_of_broadcast() -> None:
    with pytest.raises(ShapeError, match=r"got logits \[4, 1\] of real and \[1, 1\] of generated pictures"):
        discriminator_loss(torch.zeros(4, 1), torch.zeros(1, 1))
