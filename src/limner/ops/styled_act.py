"""The end of a StyleGAN layer in two passes over memory: noise, bias, leaky ReLU, AdaIN.

Source: StyleGAN paper, Figure 1 (b): noise with a strength per channel, bias, leaky ReLU (slope 0.2, no gain), AdaIN.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.ops.bias_act import LRELU_SLOPE
from limner.ops.blocks import Block, blocks, moments
from limner.ops.normalize import NORM_EPS, adain, adain_gradient_line, adain_gradients, adain_line


def noise_act_adain(
    x: Tensor, noise: Tensor | None, noise_strength: Tensor | None, bias: Tensor, scale: Tensor, shift: Tensor
) -> Tensor:
    """Return AdaIN of lrelu(x + noise_strength noise + bias).

    Overwrites x, which the caller gives away, with the activated values; nothing else is kept for the backward pass.

    Args:
        x: [N, C, H, W], a fresh tensor.
        noise: [N or 1, 1, H, W], or None.
        noise_strength: [C], or None without noise.
        bias: [C].
        scale: [N, C].
        shift: [N, C].

    Returns:
        [N, C, H, W].
    """
    strength = None if noise is None or noise_strength is None else noise_strength[:, None, None]
    if torch.compiler.is_exporting():
        x = x + bias[:, None, None] if noise is None or strength is None else x + noise * strength + bias[:, None, None]
        return adain(F.leaky_relu(x, LRELU_SLOPE), scale, shift)
    styles = scale[:, :, None, None], shift[:, :, None, None]
    return _NoiseActAdaIN.apply(x, noise, strength, bias[:, None, None], *styles)[1]


class _NoiseActAdaIN(torch.autograd.Function):
    """Returns x as it was overwritten, so that a second derivative can flow through it, and the normalised result."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, noise: Tensor | None, strength: Tensor | None, bias: Tensor, scale: Tensor, shift: Tensor
    ) -> tuple[Tensor, Tensor]:
        maps = None if noise is None else noise.expand(x.shape[0], -1, -1, -1)

        def activate(block: Block) -> None:
            values = x[block]
            if maps is not None and strength is not None:
                values.addcmul_(maps[block], strength)
            F.leaky_relu_(values.add_(bias), LRELU_SLOPE)

        mean, variance = moments(x, activate)
        r = (variance + NORM_EPS).rsqrt()
        ctx.mark_dirty(x)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, noise, strength, scale, mean, r)
        return x, adain_line(x, scale, shift, mean, r)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_act, grad = grads
        if grad_act is None and grad is None:
            return (None,) * 6
        x, noise, strength, scale, mean, r = ctx.saved_tensors
        if grad is None or grad_act is not None or torch.is_grad_enabled():
            return _differentiable(grad_act, grad, x, noise, strength, scale)
        (offset, slope, factor), grad_scale, grad_shift = adain_gradient_line(grad, x, scale, mean, r)
        grad_x, grad_bias = torch.empty_like(x), torch.zeros_like(scale[0])
        grad_noise = grad_strength = None
        for block in blocks(x):
            at, out = block[:2], grad_x[block]
            torch.addcmul(offset[at], x[block], slope[at], out=out).addcmul_(grad[block], factor[at])
            torch.ops.aten.leaky_relu_backward.grad_input(out, x[block], LRELU_SLOPE, True, grad_input=out)
            grad_bias.add_(out.sum((0, 2, 3))[:, None, None])
        if ctx.needs_input_grad[2]:
            grad_strength = torch.zeros_like(strength)
            maps = noise.expand(x.shape[0], -1, -1, -1)
            for block in blocks(x):
                per_sample = maps[block].flatten(2) @ grad_x[block].flatten(2).transpose(1, 2)  # [n, 1, C]
                grad_strength.add_(per_sample.sum((0, 1))[:, None, None])
        if ctx.needs_input_grad[1]:
            grad_noise = (grad_x * strength).sum(1, keepdim=True).sum_to_size(noise.shape)
        return grad_x, grad_noise, grad_strength, grad_bias, grad_scale, grad_shift


def _differentiable(
    grad_act: Tensor | None,
    grad: Tensor | None,
    x: Tensor,
    noise: Tensor | None,
    strength: Tensor | None,
    scale: Tensor,
) -> tuple[Tensor | None, ...]:
    """Gradients of all arguments from those of the two results, x being the first, as tensor operations."""
    grad_scale = grad_shift = grad_noise = grad_strength = None
    if grad is not None:
        through, grad_scale, grad_shift = adain_gradients(grad, x, scale, NORM_EPS)
        grad_act = through if grad_act is None else grad_act + through
    grad_pre = torch.ops.aten.leaky_relu_backward(grad_act, x, LRELU_SLOPE, True)
    if noise is not None:
        grad_noise = (grad_pre * strength).sum(1, keepdim=True).sum_to_size(noise.shape)
        grad_strength = (grad_pre * noise).sum((0, 2, 3))[:, None, None]
    return grad_pre, grad_noise, grad_strength, grad_pre.sum((0, 2, 3))[:, None, None], grad_scale, grad_shift
