"""Convolution closed under differentiation of any order.

A convolution y = x * w is bilinear, so three operations suffice for all its derivatives: the convolution, its adjoint
in x (a transposed convolution with the same weight), and its adjoint in w. Each is an autograd function here whose
backward is made of the other two. The native double backward computes the adjoint in w of an adjoint as a convolution
with a kernel as large as the picture; this one stays with the library's tuned kernels, which matters for R1 and path
length regularization.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_weight_gradients_enabled = True


@contextmanager
def no_weight_gradients() -> Iterator[None]:
    """Within this context, backward passes compute no gradients of convolution weights and biases.

    For the inner gradient of a penalty (R1, path length), which needs the gradient with respect to pictures or latents
    alone: autograd would otherwise compute the weights' gradients and drop them. The graph built for the outer gradient
    is complete.
    """
    global _weight_gradients_enabled
    previous, _weight_gradients_enabled = _weight_gradients_enabled, False
    try:
        yield
    finally:
        _weight_gradients_enabled = previous


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Correlate x with weight.

    Args:
        x: [N, I, H, W].
        weight: [O, I, kh, kw].
        bias: [O] or None.
        stride: step in both directions.
        padding: zeros on every side.

    Returns:
        [N, O, H', W'] with H' = (H + 2 padding - kh) // stride + 1.
    """
    return _Convolution.apply(x, weight, bias, stride, padding, False, (0, 0))


def conv_transpose2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Apply the adjoint of `conv2d` in its first argument, and add a bias.

    Args:
        x: [N, I, H, W].
        weight: [I, O, kh, kw].
        bias: [O] or None.
        stride: step of the convolution this is the adjoint of.
        padding: padding of the convolution this is the adjoint of.

    Returns:
        [N, O, H', W'] with H' = (H - 1) stride - 2 padding + kh.
    """
    return _Convolution.apply(x, weight, bias, stride, padding, True, (0, 0))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int,
        padding: int,
        transposed: bool,
        output_padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding, transposed)
        return torch.ops.aten.convolution(
            x, weight, bias, [stride] * 2, [padding] * 2, [1, 1], transposed, list(output_padding), 1
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        stride, padding, transposed = ctx.geometry
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = _adjoint(grad, weight, x.shape, stride, padding, transposed)
        if ctx.needs_input_grad[1] and _weight_gradients_enabled:
            grad_weight = _WeightGradient.apply(x, grad, weight.shape, stride, padding, transposed)
        if ctx.needs_input_grad[2] and _weight_gradients_enabled:
            grad_bias = grad.sum((0, 2, 3))
        return grad_x, grad_weight, grad_bias, None, None, None, None


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, grad: Tensor, shape: torch.Size, stride: int, padding: int, transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(x, grad)
        ctx.geometry = (stride, padding, transposed)
        weight = x.new_empty(1).expand(shape)  # only its shape and type are read
        extra = _output_padding(x.shape, shape, grad.shape, stride, padding) if transposed else (0, 0)
        _, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], transposed, extra, 1, [False, True, False]
        )
        return grad_weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad2,) = grads
        x, grad = ctx.saved_tensors
        stride, padding, transposed = ctx.geometry
        grad_x = grad_grad = None
        if ctx.needs_input_grad[0]:
            grad_x = _adjoint(grad, grad2, x.shape, stride, padding, transposed)
        if ctx.needs_input_grad[1]:
            extra = _output_padding(x.shape, grad2.shape, grad.shape, stride, padding) if transposed else (0, 0)
            grad_grad = _Convolution.apply(x, grad2, None, stride, padding, transposed, extra)
        return grad_x, grad_grad, None, None, None, None


def _adjoint(grad: Tensor, weight: Tensor, x_shape: torch.Size, stride: int, padding: int, transposed: bool) -> Tensor:
    """Adjoint of a convolution in its input: the other kind of convolution with the same weight."""
    extra = (0, 0) if transposed else _output_padding(grad.shape, weight.shape, x_shape, stride, padding)
    return _Convolution.apply(grad, weight, None, stride, padding, not transposed, extra)


def _output_padding(
    in_shape: torch.Size, weight_shape: torch.Size, out_shape: torch.Size, stride: int, padding: int
) -> tuple[int, int]:
    """Rows and columns a transposed convolution must add to reach `out_shape`, lost to a stride that left a rest."""
    rows = out_shape[2] - ((in_shape[2] - 1) * stride - 2 * padding + weight_shape[2])
    columns = out_shape[3] - ((in_shape[3] - 1) * stride - 2 * padding + weight_shape[3])
    return rows, columns
