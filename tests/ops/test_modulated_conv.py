"""Modulation on activations against a convolution per sample with that sample's own weight."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.modulated_conv import demodulation, modulated_conv2d, modulated_pointwise
from limner.ops.upfirdn2d import setup_filter
from ops import plain


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def convolve(x: Tensor, weight: Tensor, s: Tensor, *, demodulate: bool = True, up: int = 1) -> Tensor:
    """What a synthesis layer does with the two functions."""
    y = modulated_conv2d(x, weight, s, up=up, kernel=setup_filter() if up == 2 else None)
    return y * demodulation(weight, s)[:, :, None, None] if demodulate else y


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize(("up", "k"), [(1, 3), (1, 1), (2, 3), (2, 1), (1, 5)])
def test_it_equals_a_convolution_with_a_weight_per_sample(up: int, k: int, demodulate: bool) -> None:
    x, weight, s = torch.randn(3, 4, 5, 3).double(), torch.randn(2, 4, k, k).double(), torch.randn(3, 4).double()
    expected = plain.modulated_conv2d(x, weight, s, demodulate=demodulate, up=up)
    torch.testing.assert_close(convolve(x, weight, s, demodulate=demodulate, up=up), expected)


def test_the_coefficients_are_equation_3() -> None:
    weight, s = torch.randn(5, 3, 3, 3).double(), torch.randn(2, 3).double()
    for n, o in ((0, 0), (1, 4)):
        energy = sum((s[n, i] * weight[o, i]).square().sum() for i in range(3))
        assert demodulation(weight, s)[n, o].item() == pytest.approx((energy.item() + 1e-8) ** -0.5)


def test_demodulated_outputs_have_unit_variance_whatever_the_scale_of_weight_and_style() -> None:
    """StyleGAN2 paper, Section 2.2: with independent inputs of variance 1 the outputs have variance 1."""
    x, weight, s = torch.randn(2, 16, 66, 66), 7 * torch.randn(4, 16, 3, 3), 0.01 + 5 * torch.rand(2, 16)
    inside = convolve(x, weight, s)[..., 1:-1, 1:-1]  # the border sees zeros
    torch.testing.assert_close(inside.var((2, 3)), torch.ones(2, 4), rtol=0.08, atol=0)


def test_demodulation_forgets_the_scale_of_the_style_and_of_every_filter() -> None:
    x, weight, s = torch.randn(2, 3, 4, 4).double(), torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3).double()
    scales = torch.tensor([0.5, 2.0, 30.0, 0.1]).double()[:, None, None, None]
    expected = convolve(x, weight, s)
    torch.testing.assert_close(convolve(x, weight * scales, 3 * s), expected, rtol=1e-6, atol=1e-6)


def test_a_style_of_zero_gives_zero_and_not_infinity() -> None:
    y = convolve(torch.randn(1, 2, 3, 3), torch.randn(2, 2, 3, 3), torch.zeros(1, 2))
    assert not y.any()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(4, 5), (1, 1), (3, 1)])
def test_pointwise_equals_a_1x1_convolution_per_sample_in_both_layouts(
    size: tuple[int, int], channels_last: bool
) -> None:
    x, weight, s = torch.randn(3, 6, *size).double(), torch.randn(2, 6).double(), torch.randn(3, 6).double()
    expected = plain.modulated_conv2d(x, weight[:, :, None, None], s, demodulate=False)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    got = modulated_pointwise(x.contiguous(memory_format=layout), weight, s)
    torch.testing.assert_close(got, expected)
    assert got.is_contiguous(memory_format=layout)


@pytest.mark.parametrize(("up", "k"), [(1, 3), (2, 3), (1, 1)])
def test_first_and_second_derivatives_are_right(up: int, k: int) -> None:
    shapes = ((2, 2, 3, 2), (2, 2, k, k), (2, 2))
    x, weight, s = (torch.randn(*shape).double().requires_grad_() for shape in shapes)

    def layer(x: Tensor, weight: Tensor, s: Tensor) -> Tensor:
        return convolve(x, weight, s, up=up)

    assert gradcheck(layer, (x, weight, s))
    assert gradgradcheck(layer, (x, weight, s))


def test_first_and_second_derivatives_of_the_pointwise_form_are_right() -> None:
    x, weight, s = (torch.randn(*shape).double().requires_grad_() for shape in ((2, 3, 2, 2), (2, 3), (2, 3)))
    for layout in (torch.contiguous_format, torch.channels_last):
        given = x.detach().contiguous(memory_format=layout).requires_grad_()
        assert gradcheck(modulated_pointwise, (given, weight, s))
        assert gradgradcheck(modulated_pointwise, (given, weight, s))


def test_half_precision_stays_half() -> None:
    x, weight, s = torch.randn(2, 3, 4, 4).half(), torch.randn(2, 3, 3, 3), torch.randn(2, 3)
    for up in (1, 2):
        y = modulated_conv2d(x, weight, s, up=up, kernel=setup_filter())
        assert y.dtype == torch.float16
        exact = plain.modulated_conv2d(x.double(), weight.double(), s.double(), demodulate=False, up=up)
        torch.testing.assert_close(y.double(), exact, rtol=0.02, atol=0.05)
    assert modulated_pointwise(x, weight[:, :, 0, 0], s).dtype == torch.float16
