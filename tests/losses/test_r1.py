"""R1 against closed forms and against torch's own convolutions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from limner.losses.r1 import r1_penalty
from limner.ops.conv import conv2d
from losses.critics import ConvCritic


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_of_a_linear_discriminator_it_is_the_squared_norm_of_its_weights_at_every_picture() -> None:
    weights = torch.randn(3 * 4 * 5)
    images = torch.randn(6, 3, 4, 5, requires_grad=True)
    penalty = r1_penalty(images.flatten(1) @ weights[:, None], images)
    torch.testing.assert_close(penalty, weights.square().sum().expand(6))


def test_of_a_quadratic_discriminator_it_is_the_squared_norm_of_the_picture() -> None:
    images = torch.randn(5, 2, 3, 4, requires_grad=True)
    logits = images.square().sum((1, 2, 3))[:, None] / 2
    torch.testing.assert_close(r1_penalty(logits, images), images.square().sum((1, 2, 3)))


def test_its_gradient_through_two_convolutions_equals_that_of_torch_s() -> None:
    images = torch.randn(3, 2, 6, 7).double().requires_grad_()
    weights = [torch.randn(4, 2, 3, 3).double().requires_grad_(), torch.randn(1, 4, 3, 3).double().requires_grad_()]

    def logits(convolve: object) -> Tensor:
        hidden = F.leaky_relu(convolve(images, weights[0], padding=1), 0.2).tanh()  # type: ignore[operator]
        return convolve(hidden, weights[1], stride=2).square().sum((2, 3))  # type: ignore[operator]

    (gradient,) = torch.autograd.grad(logits(F.conv2d).sum(), images, create_graph=True)
    expected = gradient.square().sum((1, 2, 3))
    ours = r1_penalty(logits(conv2d), images)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(torch.autograd.grad(ours.mean(), weights), torch.autograd.grad(expected.mean(), weights))


def test_it_is_as_precise_as_its_argument() -> None:
    images = torch.randn(2, 1, 2, 2).double().requires_grad_()
    penalty = r1_penalty(images.pow(3).sum((1, 2, 3))[:, None], images)
    assert penalty.dtype == torch.float64
    torch.testing.assert_close(penalty, 9 * images.pow(4).sum((1, 2, 3)), rtol=1e-12, atol=0)


def test_its_derivative_in_the_discriminator_s_weights_is_right() -> None:
    critic, images = ConvCritic(2), torch.randn(2, 2, 5, 6).double().requires_grad_()

    def penalty(*weights: Tensor) -> Tensor:
        named = dict(zip((name for name, _ in critic.named_parameters()), weights, strict=True))
        return r1_penalty(torch.func.functional_call(critic, named, (images,)), images)

    assert gradcheck(penalty, tuple(critic.parameters()))
