"""The fused end of a StyleGAN layer against its formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops import blocks as blocks_module
from limner.ops.styled_act import noise_act_adain

NOISE_SHAPES = [None, (1, 1, 4, 3), (2, 1, 4, 3)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def arguments(noise_shape: tuple[int, ...] | None) -> list[Tensor | None]:
    """Arguments x, noise, noise_strength, bias, scale, shift for 2 samples of 3 channels and 4 x 3 pixels."""
    shapes = [(2, 3, 4, 3), noise_shape, (3,) if noise_shape else None, (3,), (2, 3), (2, 3)]
    return [None if shape is None else torch.randn(shape).double().requires_grad_() for shape in shapes]


def fused(x: Tensor, *others: Tensor | None) -> Tensor:
    return noise_act_adain(x.clone(memory_format=torch.preserve_format), *others)  # type: ignore[arg-type]


def formula(
    x: Tensor, noise: Tensor | None, noise_strength: Tensor | None, bias: Tensor, scale: Tensor, shift: Tensor
) -> Tensor:
    if noise is not None and noise_strength is not None:
        x = x + noise * noise_strength[:, None, None]
    x = F.leaky_relu(x + bias[:, None, None], 0.2)
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-8).sqrt() * scale[:, :, None, None] + shift[:, :, None, None]


def tensors(given: list[Tensor | None]) -> list[Tensor]:
    return [tensor for tensor in given if tensor is not None]


@pytest.mark.parametrize("elements", [1, 30, 10_000])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("noise_shape", NOISE_SHAPES)
def test_value_and_gradients_equal_the_formula_in_blocks_of_any_size(
    noise_shape: tuple[int, ...] | None,
    memory_format: torch.memory_format,
    elements: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_ELEMENTS", elements)
    given = arguments(noise_shape)
    given[0] = given[0].detach().contiguous(memory_format=memory_format).requires_grad_()  # type: ignore[union-attr]
    ours, theirs = fused(*given), formula(*given)  # type: ignore[arg-type]
    torch.testing.assert_close(ours, theirs)
    assert ours.is_contiguous(memory_format=memory_format)
    probe = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad((y * probe).sum(), tensors(given)) for y in (ours, theirs)))


@pytest.mark.parametrize("noise_shape", NOISE_SHAPES)
def test_first_and_second_derivatives_are_right(noise_shape: tuple[int, ...] | None) -> None:
    given = arguments(noise_shape)
    assert gradcheck(fused, given)
    assert gradgradcheck(fused, given)


def test_a_penalty_on_its_gradient_has_the_formula_s_gradient() -> None:
    """Its first derivative is made of the overwritten argument, through which the second must flow as well."""
    given = arguments((2, 1, 4, 3))
    penalties = []
    for layer in (fused, formula):
        y = layer(*given)  # type: ignore[operator]
        inner = torch.autograd.grad(y.tanh().sum(), tensors(given), create_graph=True)
        penalties.append(sum(gradient.square().sum() for gradient in inner))
    ours, theirs = (torch.autograd.grad(penalty, tensors(given)) for penalty in penalties)
    torch.testing.assert_close(ours, theirs)


def test_gradients_that_nobody_needs_do_not_change_those_that_are_needed() -> None:
    full = arguments((1, 1, 4, 3))
    expected = torch.autograd.grad(fused(*full).square().sum(), tensors(full))  # type: ignore[arg-type]
    for index in range(6):
        given = [tensor.detach().requires_grad_(i == index) for i, tensor in enumerate(tensors(full))]
        torch.testing.assert_close(torch.autograd.grad(fused(*given).square().sum(), given[index])[0], expected[index])


def test_the_argument_is_overwritten_with_the_activated_values() -> None:
    x, bias = torch.randn(1, 2, 3, 3), torch.randn(2)
    expected = F.leaky_relu(x + bias[:, None, None], 0.2)
    noise_act_adain(x, None, None, bias, torch.ones(1, 2), torch.zeros(1, 2))
    torch.testing.assert_close(x, expected)
