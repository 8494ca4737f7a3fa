"""Resampling convolutions against filter and convolution carried out one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.resample_conv import (
    blur_conv2d_downsample_box,
    conv2d_downsample_box,
    downsample_conv2d,
    upsample_conv2d,
    upsample_nearest_conv2d,
    upsample_nearest_conv2d_blur,
)
from limner.ops.upfirdn2d import downsample2d, setup_filter, upsample2d
from ops import plain


def asymmetric(taps: int) -> Tensor:
    kernel = torch.rand(taps, taps, generator=torch.Generator().manual_seed(taps), dtype=torch.float64)
    return kernel / kernel.sum()


def nearest_then_convolved(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=weight.shape[-1] // 2)


def convolved_then_averaged(x: Tensor, weight: Tensor) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, weight, padding=weight.shape[-1] // 2), 2)


def blurred(x: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


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
    for y in (
        upsample_conv2d(x, weight, kernel),
        downsample_conv2d(x, weight, kernel),
        upsample_nearest_conv2d(x, weight),
        conv2d_downsample_box(x, weight),
        upsample_nearest_conv2d_blur(x, weight),
        blur_conv2d_downsample_box(x, weight),
    ):
        assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("size", [(5, 3), (1, 2), (4, 4)])
def test_nearest_upsampling_convolution_equals_its_two_steps(size: tuple[int, int], k: int, fused: bool) -> None:
    x, weight, bias = torch.randn(2, 3, *size).double(), torch.randn(4, 3, k, k).double(), torch.randn(4).double()
    expected = nearest_then_convolved(x, weight)
    torch.testing.assert_close(upsample_nearest_conv2d(x, weight, fused=fused), expected)
    got = upsample_nearest_conv2d(x, weight, bias, fused=fused)
    torch.testing.assert_close(got, expected + bias[:, None, None])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("size", [(6, 10), (2, 4), (8, 8)])
def test_box_downsampling_convolution_equals_its_two_steps(size: tuple[int, int], k: int, fused: bool) -> None:
    x, weight, bias = torch.randn(2, 3, *size).double(), torch.randn(4, 3, k, k).double(), torch.randn(4).double()
    expected = convolved_then_averaged(x, weight)
    torch.testing.assert_close(conv2d_downsample_box(x, weight, fused=fused), expected)
    got = conv2d_downsample_box(x, weight, bias, fused=fused)
    torch.testing.assert_close(got, expected + bias[:, None, None])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("size", [(2, 4), (1, 1), (6, 5)])
def test_the_blurred_forms_equal_their_three_steps(size: tuple[int, int], k: int, fused: bool) -> None:
    x, weight, bias = torch.randn(2, 3, *size).double(), torch.randn(4, 3, k, k).double(), torch.randn(4).double()
    up = upsample_nearest_conv2d_blur(x, weight, fused=fused)
    torch.testing.assert_close(up, blurred(nearest_then_convolved(x, weight)))
    large = torch.randn(2, 3, 2 * size[0], 2 * size[1]).double()
    down = blur_conv2d_downsample_box(large, weight, bias, fused=fused)
    torch.testing.assert_close(down, convolved_then_averaged(blurred(large), weight) + bias[:, None, None])


def test_nearest_upsampling_of_a_constant_is_a_convolution_of_it_and_box_downsampling_keeps_its_mean() -> None:
    x, weight = torch.ones(1, 1, 4, 5), torch.rand(1, 1, 3, 3)
    total = weight.sum().item()
    torch.testing.assert_close(upsample_nearest_conv2d(x, weight)[..., 1:-1, 1:-1], torch.full((1, 1, 6, 8), total))
    torch.testing.assert_close(
        conv2d_downsample_box(x[..., :4], weight[..., 1:2, 1:2]), weight[0, 0, 1, 1].expand(1, 1, 2, 2)
    )


@pytest.mark.parametrize("k", [1, 3])
def test_first_and_second_derivatives_of_the_box_forms_are_right(k: int) -> None:
    small, large = (torch.randn(1, 2, *size).double().requires_grad_() for size in ((2, 3), (4, 2)))
    weight = torch.randn(2, 2, k, k, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    for x, function in ((small, upsample_nearest_conv2d), (large, conv2d_downsample_box)):
        assert gradcheck(function, (x, weight, bias))
        assert gradgradcheck(lambda *given, f=function: f(*given).square(), (x, weight, bias))


def test_first_and_second_derivatives_of_the_blurred_forms_are_right() -> None:
    small, large = (torch.randn(1, 2, *size).double().requires_grad_() for size in ((2, 3), (4, 2)))
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    for x, function in ((small, upsample_nearest_conv2d_blur), (large, blur_conv2d_downsample_box)):
        assert gradcheck(function, (x, weight))
        assert gradgradcheck(lambda *given, f=function: f(*given).square(), (x, weight))
