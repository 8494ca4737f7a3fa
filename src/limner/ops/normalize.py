"""Normalisations of the style-based generators.

They go through pictures in blocks (see `blocks`), forward and in the first backward pass; a backward pass that is to be
differentiated again is made of tensor operations, and so is the graph of a network that is exported.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from limner.ops.blocks import blocks, moments

NORM_EPS = 1e-8


def pixel_norm(x: Tensor, *, eps: float = NORM_EPS) -> Tensor:
    """Divide by the root mean square over channels (ProGAN paper, Section 4.2).

    Args:
        x: [N, C] or [N, C, H, W].
        eps: added to the mean square.

    Returns:
        The shape of x, with mean square 1 along the channels.
    """
    if x.ndim == 4 and not torch.compiler.is_exporting():
        return _PixelNorm.apply(x, eps)
    return x * _rsqrt_mean(x.square(), 1, eps)


def instance_norm(x: Tensor, *, eps: float = NORM_EPS) -> Tensor:
    """Give every channel of every sample [N, C, H, W] mean 0 and (biased) variance 1 over its pixels."""
    return adain(x, x.new_ones(x.shape[:2]), x.new_zeros(x.shape[:2]), eps=eps)


def adain(x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = NORM_EPS) -> Tensor:
    """Adaptive instance normalisation (StyleGAN paper, Equation 1).

    Args:
        x: [N, C, H, W].
        scale: [N, C].
        shift: [N, C].
        eps: added to the variance.

    Returns:
        [N, C, H, W]: every channel normalised, times its scale, plus its shift.
    """
    scale, shift = scale[:, :, None, None], shift[:, :, None, None]
    if torch.compiler.is_exporting():
        centred = x - x.mean((2, 3), keepdim=True)
        return scale * (centred * _rsqrt_mean(centred.square(), (2, 3), eps)) + shift
    return _AdaIN.apply(x, scale, shift, eps)


class _PixelNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        y = torch.empty_like(x)
        for block in blocks(x):
            torch.mul(x[block], _rsqrt_mean(x[block].square(), 1, eps), out=y[block])
        ctx.save_for_backward(x)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            r = _rsqrt_mean(x.square(), 1, ctx.eps)
            return r * (grad - x * (r.square() * (grad * x).mean(1, keepdim=True))), None
        grad_x = torch.empty_like(x)
        for block in blocks(x):
            r = _rsqrt_mean(x[block].square(), 1, ctx.eps)
            along = (grad[block] * x[block]).mean(1, keepdim=True).mul_(r.pow(3))
            torch.mul(grad[block], r, out=grad_x[block]).addcmul_(x[block], along, value=-1)
        return grad_x, None


class _AdaIN(torch.autograd.Function):
    """y = scale (x - mean) / deviation + shift, with scale and shift [N, C, 1, 1]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
        mean, variance = moments(x)
        r = (variance + eps).rsqrt()
        ctx.save_for_backward(x, scale, mean, r)
        ctx.eps = eps
        return adain_line(x, scale, shift, mean, r)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, scale, mean, r = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *adain_gradients(grad, x, scale, ctx.eps), None
        (offset, slope, factor), grad_scale, grad_shift = adain_gradient_line(grad, x, scale, mean, r)
        grad_x = torch.empty_like(x)
        for block in blocks(x):
            at = block[:2]
            torch.addcmul(offset[at], x[block], slope[at], out=grad_x[block]).addcmul_(grad[block], factor[at])
        return grad_x, grad_scale, grad_shift, None


def adain_line(x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, r: Tensor) -> Tensor:
    """Return AdaIN of x [N, C, H, W], a line per channel, for known mean and reciprocal deviation r [N, C, 1, 1]."""
    slope = scale * r
    offset = shift - mean * slope
    y = torch.empty_like(x)
    for block in blocks(x):
        torch.addcmul(offset[block[:2]], x[block], slope[block[:2]], out=y[block])
    return y


def adain_gradients(grad: Tensor, x: Tensor, scale: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of AdaIN in x, scale and shift as differentiable tensor operations."""
    pixels = x.shape[2] * x.shape[3]
    centred = x - x.mean((2, 3), keepdim=True)
    r = _rsqrt_mean(centred.square(), (2, 3), eps)
    normal = centred * r
    grad_shift = grad.sum((2, 3), keepdim=True)
    grad_scale = (grad * normal).sum((2, 3), keepdim=True)
    return scale * r * (grad - grad_shift / pixels - normal * (grad_scale / pixels)), grad_scale, grad_shift


def adain_gradient_line(
    grad: Tensor, x: Tensor, scale: Tensor, mean: Tensor, r: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, Tensor]:
    """Return (a, b, c) with grad_x = a + b x + c grad, and the gradients of scale and shift, [N, C, 1, 1] each."""
    pixels = x.shape[2] * x.shape[3]
    grad_shift, grad_scale = torch.zeros_like(mean), torch.zeros_like(mean)
    for block in blocks(x):
        at = block[:2]
        grad_shift[at].add_(grad[block].sum((2, 3), keepdim=True))
        grad_scale[at].add_((x[block] - mean[at]).mul_(grad[block]).sum((2, 3), keepdim=True))
    grad_scale *= r
    factor = scale * r
    slope = factor * r * grad_scale / -pixels
    return (factor * grad_shift / -pixels - slope * mean, slope, factor), grad_scale, grad_shift


def _rsqrt_mean(x: Tensor, dim: int | tuple[int, ...], eps: float) -> Tensor:
    return (x.mean(dim, keepdim=True) + eps).rsqrt()
