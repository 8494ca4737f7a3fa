"""Upsampling, filtering and downsampling against zero insertion and sums over taps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.upfirdn2d import blur2d, downsample2d, setup_filter, upfirdn2d, upsample2d
from ops import plain

# (height, width, taps, up, down, (left, right, top, bottom)): odd sides, cropping, a rest under `down`
CASES = [
    (4, 5, 4, 2, 1, (2, 1, 2, 1)),
    (5, 4, 4, 1, 2, (1, 1, 1, 1)),
    (5, 7, 3, 1, 1, (1, 2, 0, 3)),
    (3, 4, 4, 2, 3, (3, 2, 1, 4)),
    (6, 5, 3, 3, 2, (-1, 2, 2, -2)),
    (7, 6, 2, 1, 3, (0, 0, 0, 0)),
]


def kernel_of(taps: int) -> Tensor:
    """A kernel without any symmetry."""
    return torch.randn(taps, taps, generator=torch.Generator().manual_seed(taps), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    taps=st.integers(1, 5),
    up=st.integers(1, 3),
    down=st.integers(1, 3),
    padding=st.tuples(*[st.integers(-2, 5)] * 4),
    channels_last=st.booleans(),
)
@settings(deadline=None, max_examples=120)
def test_it_equals_zero_insertion_padding_filtering_and_decimation(
    size: tuple[int, int], taps: int, up: int, down: int, padding: tuple[int, int, int, int], channels_last: bool
) -> None:
    left, right, top, bottom = padding
    if size[0] * up + top + bottom < taps or size[1] * up + left + right < taps:
        return
    if min(size[0] * up + min(top, 0) + min(bottom, 0), size[1] * up + min(left, 0) + min(right, 0)) < 1:
        return
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = plain.upfirdn2d(x, kernel_of(taps), up, down, padding)
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    got = upfirdn2d(x, kernel_of(taps), up=up, down=down, padding=padding, gain=3.0)
    torch.testing.assert_close(got, 3 * expected)


@pytest.mark.parametrize(("height", "width", "taps", "up", "down", "padding"), CASES)
def test_first_and_second_derivatives_are_right(
    height: int, width: int, taps: int, up: int, down: int, padding: tuple[int, int, int, int]
) -> None:
    x = torch.randn(2, 2, height, width, dtype=torch.float64, requires_grad=True)

    def cubed(x: Tensor) -> Tensor:  # the operation is linear, so its own second derivative would test nothing
        return upfirdn2d(x, kernel_of(taps), up=up, down=down, padding=padding).pow(3)

    assert gradcheck(cubed, x)
    assert gradgradcheck(cubed, x)


@pytest.mark.parametrize(("height", "width", "taps", "up", "down", "padding"), CASES)
def test_the_backward_pass_is_the_adjoint_and_its_own_backward_the_operation(
    height: int, width: int, taps: int, up: int, down: int, padding: tuple[int, int, int, int]
) -> None:
    x = torch.randn(1, 2, height, width, dtype=torch.float64, requires_grad=True)
    y = upfirdn2d(x, kernel_of(taps), up=up, down=down, padding=padding)
    probe = torch.randn_like(y, requires_grad=True)
    (back,) = torch.autograd.grad(y, x, probe, create_graph=True)
    torch.testing.assert_close((back * x).sum(), (y * probe).sum())  # <A^T p, x> = <p, A x>
    (again,) = torch.autograd.grad(back, probe, x)
    torch.testing.assert_close(again, y)


def test_the_filter_sums_to_one_and_is_the_outer_product_of_its_taps() -> None:
    torch.testing.assert_close(setup_filter(), plain.fir().float())
    kernel = setup_filter((1, 2))
    torch.testing.assert_close(kernel, torch.tensor([[1, 2], [2, 4]]) / 9)


def test_upsampling_interpolates_linearly_between_pixel_centres() -> None:
    """Taps [1, 3, 3, 1] / 4 weigh the nearer pixel 3/4 and the farther 1/4: a ramp stays a ramp of half the slope."""
    ramp = torch.arange(6.0)[None, None, None].expand(1, 1, 6, 6)
    up = upsample2d(ramp, setup_filter())
    assert up.shape == (1, 1, 12, 12)
    torch.testing.assert_close(up[0, 0, 5, 1:-1], torch.arange(0.25, 5, 0.5))


def test_downsampling_weighs_pixels_one_three_three_one() -> None:
    ramp = torch.arange(8.0)[None, None, None].expand(1, 1, 8, 8)
    down = downsample2d(ramp, setup_filter())
    assert down.shape == (1, 1, 4, 4)
    torch.testing.assert_close(down[0, 0, 1, 1:-1], torch.tensor([2.5, 4.5]))
    torch.testing.assert_close(down[0, 0, 1, 0], torch.tensor((3 * 0 + 3 * 1 + 2) / 8))  # zeros beyond the edge


def test_resampling_keeps_a_constant_inside_and_darkens_towards_the_zeros_outside() -> None:
    ones = torch.ones(1, 1, 6, 6)
    up, down = upsample2d(ones, setup_filter()), downsample2d(ones, setup_filter())
    torch.testing.assert_close(up[:, :, 1:-1, 1:-1], torch.ones(1, 1, 10, 10))
    torch.testing.assert_close(down[:, :, 1:-1, 1:-1], torch.ones(1, 1, 1, 1))
    assert up[0, 0, 0, 0].item() == pytest.approx((3 / 4) ** 2)
    assert down[0, 0, 0, 0].item() == pytest.approx((7 / 8) ** 2)


def test_the_blur_keeps_the_size_and_sees_zeros_beyond_the_edges() -> None:
    point = torch.zeros(1, 1, 3, 5)
    point[0, 0, 1, 4] = 16
    expected = torch.zeros(1, 1, 3, 5)
    expected[0, 0, :, 3:] = torch.tensor([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0]])
    torch.testing.assert_close(blur2d(point, setup_filter((1, 2, 1))), expected)
    x, kernel = torch.randn(2, 3, 6, 7), kernel_of(5)
    torch.testing.assert_close(blur2d(x, kernel), plain.upfirdn2d(x, kernel, 1, 1, (2, 2, 2, 2)))


def test_downsampling_is_a_quarter_of_the_adjoint_of_upsampling() -> None:
    x, y = torch.randn(1, 2, 3, 5), torch.randn(1, 2, 6, 10)
    kernel = setup_filter()
    torch.testing.assert_close((upsample2d(x, kernel) * y).sum(), 4 * (x * downsample2d(y, kernel)).sum())


def test_channels_last_pictures_stay_channels_last() -> None:
    x = torch.randn(2, 3, 6, 6).contiguous(memory_format=torch.channels_last)
    kernel = setup_filter()
    for y in (upsample2d(x, kernel), downsample2d(x, kernel), upfirdn2d(x, kernel, up=2, down=2, padding=(2,) * 4)):
        assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half_through_the_backward_pass(dtype: torch.dtype) -> None:
    x = torch.randn(1, 2, 4, 6, dtype=dtype, requires_grad=True)
    for y, up, down in ((upsample2d(x, setup_filter()), 2, 1), (downsample2d(x, setup_filter()), 1, 2)):
        assert y.dtype == dtype
        assert y.shape == (1, 2, 4 * up // down, 6 * up // down)
        assert torch.autograd.grad(y.sum(), x)[0].dtype == dtype
