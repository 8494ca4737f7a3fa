"""Resampling convolutions against filter and convolution carried out one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.resample_conv import downsample_conv2d, upsample_conv2d
from limner.ops.upfirdn2d import downsample2d, setup_filter, upsample2d
from ops import plain


def asymmetric(taps: int) -> Tensor:
    kernel = torch.rand(taps, taps, generator=torch.Generator().manual_seed(taps), dtype=torch.float64)
    return kernel / kernel.sum()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("taps", [2, 4, 6])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_upsampling_convolution_equals_insert_filter_convolve_crop(taps: int, k: int) -> None:
    x, weight = torch.randn(2, 3, 5, 4).double(), torch.randn(4, 3, k, k).double()
    got = upsample_conv2d(x, weight, asymmetric(taps))
    assert got.shape == (2, 4, 10, 8)
    torch.testing.assert_close(got, plain.upsample_conv2d(x, weight, asymmetric(taps)))


@pytest.mark.parametrize("taps", [2, 4, 6])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_downsampling_convolution_equals_filter_convolve_decimate(taps: int, k: int) -> None:
    x, weight = torch.randn(2, 3, 6, 8).double(), torch.randn(4, 3, k, k).double()
    got = downsample_conv2d(x, weight, asymmetric(taps), torch.ones(4).double())
    assert got.shape == (2, 4, 3, 4)
    torch.testing.assert_close(got, plain.downsample_conv2d(x, weight, asymmetric(taps)) + 1)


def test_away_from_the_edge_they_are_resampling_followed_or_preceded_by_a_convolution() -> None:
    x, weight, kernel = torch.randn(1, 2, 8, 8), torch.randn(3, 2, 3, 3), setup_filter()
    up = F.conv2d(upsample2d(x, kernel), weight.flip((2, 3)), padding=1)
    torch.testing.assert_close(upsample_conv2d(x, weight, kernel)[..., 2:-2, 2:-2], up[..., 2:-2, 2:-2])
    down = downsample2d(F.conv2d(x, weight, padding=1), kernel)
    torch.testing.assert_close(downsample_conv2d(x, weight, kernel)[..., 1:-1, 1:-1], down[..., 1:-1, 1:-1])


@pytest.mark.parametrize("k", [1, 3])
def test_first_and_second_derivatives_are_right(k: int) -> None:
    kernel = setup_filter()
    x = torch.randn(1, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, k, k, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)

    def up(x: Tensor, weight: Tensor) -> Tensor:
        return upsample_conv2d(x, weight, kernel).square()

    def down(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return downsample_conv2d(x, weight, kernel, bias).square()

    assert gradcheck(up, (x, weight))
    assert gradgradcheck(up, (x, weight))
    assert gradcheck(down, (x, weight, bias))
    assert gradgradcheck(down, (x, weight, bias))


def test_channels_last_pictures_stay_channels_last() -> None:
    x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    weight, kernel = torch.randn(6, 4, 3, 3), setup_filter()
    for y in (upsample_conv2d(x, weight, kernel), downsample_conv2d(x, weight, kernel)):
        assert y.is_contiguous(memory_format=torch.channels_last)
