"""The Wasserstein loss and its penalties against closed forms and torch's own convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from limner.losses.wgan import USES_REAL_LOGITS, discriminator_loss, drift, generator_loss, gradient_penalty
from losses.critics import ConvCritic, LinearCritic


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def pictures(n: int = 3) -> Tensor:
    return torch.randn(n, 2, 5, 6, dtype=torch.float64)


def test_the_critic_s_loss_is_the_difference_of_means_and_the_generator_s_minus_its_part() -> None:
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[-1.0], [0.5]])
    assert discriminator_loss(real, fake).item() == pytest.approx(-0.25 - 2)
    assert generator_loss(fake).item() == pytest.approx(0.25)
    assert not USES_REAL_LOGITS


@pytest.mark.parametrize("target", [1.0, 750.0])
def test_of_a_linear_critic_the_penalty_is_that_of_its_weights_norm_everywhere(target: float) -> None:
    critic = LinearCritic(2, 5, 6)
    penalty = gradient_penalty(critic, pictures(), pictures(), torch.rand(3).double(), target=target)
    expected = (critic.weight.norm() - target).square() / target**2
    torch.testing.assert_close(penalty, expected.expand(3))


def test_of_a_quadratic_critic_it_shows_where_it_was_taken() -> None:
    """With D(x) = |x|^2 / 2 the gradient is x itself: mix real + (1 - mix) fake."""
    reals, fakes, mix = pictures(), pictures(), torch.tensor([0.0, 0.25, 1.0]).double()
    penalty = gradient_penalty(lambda x: x.square().sum((1, 2, 3))[:, None] / 2, reals, fakes, mix)
    between = torch.stack([fakes[0], 0.25 * reals[1] + 0.75 * fakes[1], reals[2]])
    torch.testing.assert_close(penalty, (between.flatten(1).norm(dim=1) - 1).square())


def test_its_gradient_through_two_convolutions_equals_that_of_torch_s() -> None:
    ours, theirs = ConvCritic(2), ConvCritic(2, native=True)
    theirs.load_state_dict(ours.state_dict())
    reals, fakes, mix = pictures(), pictures(), torch.rand(3).double()
    between = (mix[:, None, None, None] * (reals - fakes) + fakes).requires_grad_()
    (gradient,) = torch.autograd.grad(theirs(between).sum(), between, create_graph=True)
    expected = (gradient.square().sum((1, 2, 3)).sqrt() / 3 - 1).square()
    penalty = gradient_penalty(ours, reals, fakes, mix, target=3.0)
    torch.testing.assert_close(penalty, expected)
    grads = [
        torch.autograd.grad(p.mean(), list(critic.parameters())) for p, critic in ((penalty, ours), (expected, theirs))
    ]
    torch.testing.assert_close(*grads)


def test_its_derivative_in_the_critic_s_weights_is_right() -> None:
    reals, fakes, mix = pictures(2), pictures(2), torch.rand(2).double()
    critic = ConvCritic(2)

    def penalty(*weights: Tensor) -> Tensor:
        named = dict(zip((name for name, _ in critic.named_parameters()), weights, strict=True))
        return gradient_penalty(lambda x: torch.func.functional_call(critic, named, (x,)), reals, fakes, mix)

    assert gradcheck(penalty, tuple(critic.parameters()))


def test_neither_pictures_nor_generator_receive_gradients_and_a_flat_critic_has_finite_ones() -> None:
    critic = LinearCritic(2, 5, 6)
    torch.nn.init.zeros_(critic.weight)
    reals, fakes = pictures().requires_grad_(), pictures().requires_grad_()
    penalty = gradient_penalty(critic, reals, fakes, torch.rand(3).double()).mean()
    assert penalty.item() == 1
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.isfinite().all()
    assert reals.grad is None
    assert fakes.grad is None


def test_drift_is_the_mean_square_of_the_real_logits() -> None:
    assert drift(torch.tensor([[3.0], [-1.0]])).item() == pytest.approx(5)
