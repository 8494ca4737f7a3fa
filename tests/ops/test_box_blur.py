"""The filter that is box and blur at once, against the two carried out one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.box_blur import blur_box, box_blur

SHAPES = [(2, 3, 5, 7), (1, 1, 2, 2), (1, 2, 3, 9)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def in_two_steps(x: Tensor) -> Tensor:
    channels = x.shape[1]
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    box, blur = x.new_ones(2, 2), torch.outer(taps, taps)
    summed = F.conv2d(x, box.expand(channels, 1, 2, 2), groups=channels)
    return F.conv2d(summed, blur.expand(channels, 1, 3, 3), padding=1, groups=channels)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_the_two_filters_up_to_the_corners(
    shape: tuple[int, ...], memory_format: torch.memory_format
) -> None:
    x = torch.randn(shape).double().contiguous(memory_format=memory_format)
    y = box_blur(x)
    torch.testing.assert_close(y, in_two_steps(x))
    assert y.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("shape", SHAPES)
def test_blur_box_is_its_adjoint(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape).double().requires_grad_()
    y = torch.randn_like(in_two_steps(x))
    (expected,) = torch.autograd.grad((in_two_steps(x) * y).sum(), x)
    torch.testing.assert_close(blur_box(y), expected)


def test_first_and_second_derivatives_are_right() -> None:
    x = torch.randn(1, 2, 3, 4).double().requires_grad_()
    for function in (box_blur, blur_box):
        assert gradcheck(function, x)
        assert gradgradcheck(lambda x, f=function: f(x).square(), x)


def test_half_precision_stays_half() -> None:
    x = torch.randn(1, 2, 5, 4).half()
    y = box_blur(x)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.double(), in_two_steps(x.double()), rtol=1e-2, atol=1e-2)
