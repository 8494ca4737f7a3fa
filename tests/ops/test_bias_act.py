"""The fused end of a modulated layer against its formula, and its recovery of the argument from the result."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.bias_act import LRELU_GAIN, leaky_relu, scaled_bias_act
from ops import plain

NOISE_SHAPES = [None, (1, 1, 3, 2), (2, 1, 3, 2)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def composite(x: Tensor, scale: Tensor, bias: Tensor, noise: Tensor | None = None, gain: float = 1.0) -> Tensor:
    noise = torch.zeros(()) if noise is None else noise
    return plain.leaky_relu(scale[:, :, None, None] * x + noise + bias[:, None, None]) * gain


def arguments(noise_shape: tuple[int, ...] | None) -> list[Tensor]:
    shapes = [(2, 3, 3, 2), (2, 3), (3,), *([noise_shape] if noise_shape else [])]
    made = [torch.randn(*shape).double() for shape in shapes]
    made[1] = made[1].exp()  # a scale is positive
    return [tensor.requires_grad_() for tensor in made]


def fused(x: Tensor, scale: Tensor, bias: Tensor, noise: Tensor | None = None, gain: float = 1.0) -> Tensor:
    return scaled_bias_act(x.clone(), scale, bias, noise, gain=gain)


def test_leaky_relu_has_slope_a_fifth_and_no_gain_of_its_own() -> None:
    assert math.sqrt(2) == LRELU_GAIN
    torch.testing.assert_close(leaky_relu(torch.tensor([-5.0, 0.0, 3.0])), torch.tensor([-1.0, 0.0, 3.0]))
    torch.testing.assert_close(leaky_relu(torch.tensor([-50.0, 9.0]), clamp=2.0), torch.tensor([-2.0, 2.0]))


@pytest.mark.parametrize("gain", [1.0, math.sqrt(0.5)])
@pytest.mark.parametrize("noise_shape", NOISE_SHAPES)
def test_value_and_gradients_equal_the_formula(noise_shape: tuple[int, ...] | None, gain: float) -> None:
    given = arguments(noise_shape)
    ours, theirs = fused(*given, gain=gain), composite(*given, gain=gain)
    torch.testing.assert_close(ours, theirs)
    probe = torch.randn_like(theirs)
    grads = [torch.autograd.grad((y * probe).sum(), given) for y in (ours, theirs)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("noise_shape", NOISE_SHAPES)
def test_first_and_second_derivatives_are_right(noise_shape: tuple[int, ...] | None) -> None:
    given = arguments(noise_shape)
    assert gradcheck(fused, given)
    assert gradgradcheck(fused, given)


def test_a_penalty_on_its_gradient_has_the_formula_s_gradient() -> None:
    """The result is saved in place of the argument, so a second derivative must flow through the result as well."""
    given = arguments((2, 1, 3, 2))
    penalties = []
    for layer in (fused, composite):
        inner = torch.autograd.grad(layer(*given).tanh().sum(), given, create_graph=True)
        penalties.append(sum(gradient.square().sum() for gradient in inner))
    ours, theirs = (torch.autograd.grad(penalty, given) for penalty in penalties)
    torch.testing.assert_close(ours, theirs)


def test_gradients_that_nobody_needs_do_not_change_those_that_are_needed() -> None:
    full = arguments((1, 1, 3, 2))
    expected = torch.autograd.grad(fused(*full).square().sum(), full)
    for index in range(4):
        given = [tensor.detach().requires_grad_(i == index) for i, tensor in enumerate(full)]
        torch.testing.assert_close(torch.autograd.grad(fused(*given).square().sum(), given[index])[0], expected[index])


def test_the_first_argument_is_overwritten_and_returned() -> None:
    x = torch.randn(1, 2, 3, 3)
    y = scaled_bias_act(x, torch.ones(1, 2), torch.zeros(2))
    assert y.data_ptr() == x.data_ptr()


def test_the_clamp_limits_the_result_before_the_gain() -> None:
    x = torch.tensor([-1000.0, -1.0, 1.0, 1000.0]).reshape(1, 1, 1, 4)
    y = scaled_bias_act(x, torch.ones(1, 1), torch.zeros(1), gain=0.5, clamp=3.0)
    expected = 0.5 * torch.tensor([-3.0, -0.2 * 2**0.5, 2**0.5, 3.0])
    torch.testing.assert_close(y.flatten(), expected)


def test_a_summed_result_whose_gradient_is_one_broadcast_number_is_not_written_to() -> None:
    """`sum` hands back an expanded tensor; writing into it in place would fail or corrupt it."""
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    fused(x, torch.ones(2, 3), torch.zeros(3)).sum().backward()
    assert x.grad is not None
    expected = torch.where(x > 0, 1.0, 0.2) * math.sqrt(2)
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_scale_s_gradient_survives_a_bias_and_noise_larger_than_the_signal(dtype: torch.dtype) -> None:
    """The argument is recovered by subtraction, which must not cancel the gradient away."""
    x, scale, bias, noise = (tensor.detach() for tensor in arguments((2, 1, 3, 2)))
    given = [x, scale, 8 * bias, 2 * noise]
    leaves = [t.to(dtype).requires_grad_() if i == 0 else t.float().requires_grad_() for i, t in enumerate(given)]
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    probe = torch.randn(2, 3, 3, 2, dtype=torch.float64)
    ours = torch.autograd.grad((fused(*leaves) * probe.to(dtype)).sum(), leaves[1])[0]
    theirs = torch.autograd.grad((composite(*exact) * probe).sum(), exact[1])[0]
    relative = (ours.double() - theirs).norm() / theirs.norm()
    assert relative < (1e-5 if dtype == torch.float32 else 1e-2)
