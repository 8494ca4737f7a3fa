"""Convolutions closed under differentiation, against torch's and against sums written out."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.conv import conv2d, conv_transpose2d, no_weight_gradients

# (height, width, kernel height, kernel width, stride, padding); 6 - 3 and 7 - 2 leave a rest under stride 2 and 3
GEOMETRIES = [(5, 4, 3, 3, 1, 1), (6, 5, 3, 3, 2, 0), (7, 4, 2, 3, 3, 1), (4, 6, 1, 1, 1, 0), (5, 6, 3, 1, 2, 2)]


def make(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@given(
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)
@settings(deadline=None, max_examples=40)
def test_convolution_and_its_derivatives_equal_torchs(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> None:
    x, weight, bias = make(2, 3, *size), make(4, 3, *kernel), make(4)
    ours, theirs = (f(x, weight, bias, stride=stride, padding=padding) for f in (conv2d, F.conv2d))
    torch.testing.assert_close(ours, theirs)
    probe = torch.randn_like(theirs)
    grads = [torch.autograd.grad((y * probe).sum(), (x, weight, bias)) for y in (ours, theirs)]
    torch.testing.assert_close(*grads)


@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
)
@settings(deadline=None, max_examples=40)
def test_transposed_convolution_is_the_adjoint_of_the_convolution(
    size: tuple[int, int], kernel: int, stride: int, padding: int
) -> None:
    if any((side - 1) * stride - 2 * padding + kernel < 1 for side in size):
        return
    y, weight = make(2, 4, *size), make(4, 3, kernel, kernel)
    back = conv_transpose2d(y, weight, stride=stride, padding=padding)
    torch.testing.assert_close(back, F.conv_transpose2d(y, weight, stride=stride, padding=padding))
    x = torch.randn_like(back)
    there = conv2d(x, weight, stride=stride, padding=padding)
    torch.testing.assert_close((there * y).sum(), (x * back).sum())  # <A x, y> = <x, A^T y>


def test_the_bias_of_a_transposed_convolution_is_added_to_every_pixel() -> None:
    y, weight, bias = make(2, 4, 3, 5), make(4, 3, 3, 3), make(3)
    expected = conv_transpose2d(y, weight, stride=2) + bias[:, None, None]
    torch.testing.assert_close(conv_transpose2d(y, weight, bias, stride=2), expected)


def test_convolution_equals_the_sum_over_its_taps() -> None:
    x, weight = make(1, 2, 4, 5), make(3, 2, 2, 3)
    expected = torch.zeros(1, 3, 3, 3, dtype=torch.float64)
    for o, row, column in itertools.product(range(3), range(3), range(3)):
        for i, a, b in itertools.product(range(2), range(2), range(3)):
            expected[0, o, row, column] += (x[0, i, row + a, column + b] * weight[o, i, a, b]).item()
    torch.testing.assert_close(conv2d(x, weight), expected)


@pytest.mark.parametrize(("height", "width", "rows", "columns", "stride", "padding"), GEOMETRIES)
def test_first_and_second_derivatives_are_right(
    height: int, width: int, rows: int, columns: int, stride: int, padding: int
) -> None:
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return conv2d(x, weight, bias, stride=stride, padding=padding)

    arguments = (make(2, 2, height, width), make(3, 2, rows, columns), make(3))
    assert gradcheck(forward, arguments)
    assert gradgradcheck(forward, arguments)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), (3, 1)])
def test_first_and_second_derivatives_of_the_transposed_convolution_are_right(stride: int, padding: int) -> None:
    def transposed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return conv_transpose2d(x, weight, bias, stride=stride, padding=padding)

    arguments = (make(2, 2, 3, 4), make(2, 3, 3, 3), make(3))
    assert gradcheck(transposed, arguments)
    assert gradgradcheck(transposed, arguments)


@pytest.mark.parametrize("stride", [1, 2])
def test_third_derivatives_equal_torchs(stride: int) -> None:
    x, weight = make(1, 2, 6, 5), make(2, 2, 3, 3)

    def third(convolve: object) -> Tensor:
        y = convolve(x, weight, stride=stride).pow(4).sum()  # type: ignore[operator]
        for variable in (x, weight):
            (gradient,) = torch.autograd.grad(y, variable, create_graph=True)
            y = gradient.pow(2).sum()
        return torch.autograd.grad(y, x)[0]

    torch.testing.assert_close(third(conv2d), third(F.conv2d))


def test_without_weight_gradients_only_the_gradient_of_the_input_is_computed() -> None:
    x, weight, bias = make(1, 2, 4, 4), make(3, 2, 3, 3), make(3)
    expected = torch.autograd.grad(conv2d(x, weight, bias).square().sum(), x)[0]
    y = conv2d(x, weight, bias).square().sum()
    with no_weight_gradients():
        grads = torch.autograd.grad(y, (x, weight, bias), allow_unused=True)
    torch.testing.assert_close(grads[0], expected)
    assert grads[1] is None
    assert grads[2] is None


def test_weight_gradients_come_back_after_the_context_even_when_it_fails_or_nests() -> None:
    x, weight = make(1, 1, 3, 3), make(1, 1, 3, 3)
    with pytest.raises(ZeroDivisionError), no_weight_gradients():
        raise ZeroDivisionError
    with no_weight_gradients():
        with no_weight_gradients():
            pass
        assert torch.autograd.grad(conv2d(x, weight).sum(), weight, allow_unused=True)[0] is None
    assert torch.autograd.grad(conv2d(x, weight).sum(), weight)[0] is not None


@pytest.mark.parametrize("stride", [1, 2])
def test_a_penalty_without_weight_gradients_has_the_complete_outer_gradient(stride: int) -> None:
    x, first, second = make(2, 2, 7, 6), make(3, 2, 3, 3), make(2, 3, 3, 3)

    def penalty(convolve: object) -> Tensor:
        hidden = convolve(x, first, stride=stride, padding=1).tanh()  # type: ignore[operator]
        logits = convolve(hidden, second, padding=1).square().sum()  # type: ignore[operator]
        return torch.autograd.grad(logits, x, create_graph=True)[0].square().sum()

    expected = torch.autograd.grad(penalty(F.conv2d), (first, second, x))
    with no_weight_gradients():
        ours = penalty(conv2d)
    torch.testing.assert_close(torch.autograd.grad(ours, (first, second, x)), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half_through_the_backward_pass(dtype: torch.dtype) -> None:
    x = torch.randn(1, 2, 6, 5, dtype=dtype, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=dtype, requires_grad=True)
    y = conv2d(x, weight, stride=2, padding=1)
    exact = F.conv2d(x.double(), weight.double(), stride=2, padding=1)
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), exact, rtol=0.02, atol=0.05)
    assert [g.dtype for g in torch.autograd.grad(y.sum(), (x, weight))] == [dtype, dtype]
