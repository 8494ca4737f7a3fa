"""Pixel norm, instance norm and AdaIN against their closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

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


def test_first_and_second_derivatives_are_right() -> None:
    x, scale, shift = (torch.randn(*shape).double().requires_grad_() for shape in ((2, 2, 3, 2), (2, 2), (2, 2)))

    def norms(x: Tensor) -> Tensor:
        return pixel_norm(x) + instance_norm(x)

    assert gradcheck(norms, x)
    assert gradgradcheck(norms, x)
    assert gradcheck(adain, (x, scale, shift))
    assert gradgradcheck(adain, (x, scale, shift))
