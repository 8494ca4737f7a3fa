"""Pixel norm, instance norm and AdaIN against their closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops import blocks as blocks_module
from limner.ops.normalize import adain, instance_norm, pixel_norm
from ops import plain


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_pixel_norm_divides_by_the_root_mean_square_along_the_channels() -> None:
    x = torch.randn(3, 7, 2, 4).double()
    torch.testing.assert_close(pixel_norm(x), plain.pixel_norm(x))
    torch.testing.assert_close(pixel_norm(torch.tensor([[3.0, 4.0]])), torch.tensor([[3.0, 4.0]]) / 12.5**0.5)


def test_pixel_norm_maps_zero_to_zero_and_ignores_the_length_of_its_argument() -> None:
    assert not pixel_norm(torch.zeros(2, 5)).any()
    x = torch.randn(4, 9).double()
    torch.testing.assert_close(pixel_norm(1000 * x), pixel_norm(x), rtol=1e-6, atol=1e-6)


def test_instance_norm_gives_every_channel_mean_zero_and_biased_variance_one() -> None:
    x = 5 + 3 * torch.randn(2, 3, 6, 5).double()
    y = instance_norm(x)
    torch.testing.assert_close(y.mean((2, 3)), torch.zeros(2, 3).double())
    torch.testing.assert_close(y.var((2, 3), unbiased=False), torch.ones(2, 3).double())
    torch.testing.assert_close(y, torch.nn.functional.instance_norm(x, eps=1e-8))


def test_instance_norm_of_two_values_is_plus_and_minus_one() -> None:
    torch.testing.assert_close(instance_norm(torch.tensor([[[[2.0, 6.0]]]])), torch.tensor([[[[-1.0, 1.0]]]]))


def test_adain_gives_every_channel_the_style_s_mean_and_deviation() -> None:
    """StyleGAN paper, Equation 1: after it, mean = shift and standard deviation = |scale|, whatever x was."""
    x = 5 + 3 * torch.randn(2, 3, 6, 5).double()
    scale, shift = torch.randn(2, 3).double(), torch.randn(2, 3).double()
    y = adain(x, scale, shift)
    torch.testing.assert_close(y.mean((2, 3)), shift)
    torch.testing.assert_close(y.std((2, 3), unbiased=False), scale.abs())
    torch.testing.assert_close(adain(2 * x - 7, scale, shift), y)


def adain_formula(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-8).sqrt() * scale[:, :, None, None] + shift[:, :, None, None]


@pytest.mark.parametrize("elements", [1, 60, 10_000])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_equal_the_formulas_in_blocks_of_any_size(
    memory_format: torch.memory_format, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_ELEMENTS", elements)
    x = torch.randn(3, 4, 5, 6).double().contiguous(memory_format=memory_format).requires_grad_()
    scale, shift = (torch.randn(3, 4).double().requires_grad_() for _ in range(2))
    probe = torch.randn(3, 4, 5, 6).double()
    for ours, theirs, given in (
        (adain(x, scale, shift), adain_formula(x, scale, shift), (x, scale, shift)),
        (pixel_norm(x), plain.pixel_norm(x), (x,)),
    ):
        torch.testing.assert_close(ours, theirs)
        assert ours.is_contiguous(memory_format=memory_format)
        grads = [torch.autograd.grad((y * probe).sum(), given) for y in (ours, theirs)]
        torch.testing.assert_close(*grads)


def test_a_constant_picture_becomes_the_shift() -> None:
    """The learned constant of StyleGAN starts as ones: nothing to normalise, and nothing to blow up."""
    scale, shift = torch.randn(2, 3), torch.randn(2, 3)
    x = torch.ones(2, 3, 4, 4, requires_grad=True)
    y = adain(x, scale, shift)
    torch.testing.assert_close(y, shift[:, :, None, None].expand(2, 3, 4, 4), atol=2e-3, rtol=0)
    assert torch.autograd.grad(y.square().sum(), x)[0].isfinite().all()


def test_a_penalty_on_its_gradient_has_the_formula_s_gradient() -> None:
    x, scale, shift = (torch.randn(*shape).double().requires_grad_() for shape in ((2, 3, 4, 3), (2, 3), (2, 3)))
    given = (x, scale, shift)
    penalties = []
    for norm, pixel in ((adain, pixel_norm), (adain_formula, plain.pixel_norm)):
        inner = torch.autograd.grad(norm(pixel(x), scale, shift).tanh().sum(), given, create_graph=True)
        penalties.append(sum(gradient.square().sum() for gradient in inner))
    ours, theirs = (torch.autograd.grad(penalty, given, allow_unused=True) for penalty in penalties)
    torch.testing.assert_close(ours, theirs)


def test_first_and_second_derivatives_are_right() -> None:
    x, scale, shift = (torch.randn(*shape).double().requires_grad_() for shape in ((2, 2, 3, 2), (2, 2), (2, 2)))

    def norms(x: Tensor) -> Tensor:
        return pixel_norm(x) + instance_norm(x)

    assert gradcheck(norms, x)
    assert gradgradcheck(norms, x)
    assert gradcheck(adain, (x, scale, shift))
    assert gradgradcheck(adain, (x, scale, shift))
