"""Leaky ReLU with the gain of StyleGAN2, fused with what comes before it.

Source: StyleGAN2 paper, Section 2.1 and Figure 2 (bias and noise outside the style block); gain sqrt(2) after the
activation (official StyleGAN2 networks). Leaky ReLU is positively homogeneous, gain lrelu(x) = lrelu(gain x), so gains
are folded into scales, noise and bias before the activation and cost nothing.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2)


def leaky_relu(x: Tensor, *, clamp: float | None = None) -> Tensor:
    """Apply leaky ReLU (slope 0.2) to the fresh tensor x, in place, and clamp to +-`clamp`.

    The caller has folded the gain into x and gives x away.
    """
    y = F.leaky_relu_(x, LRELU_SLOPE)
    return y if clamp is None else y.clamp(-clamp, clamp)


def scaled_bias_act(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    *,
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Return lrelu(sqrt(2) gain (scale x + noise + bias)): the end of a modulated layer.

    Works in place: the caller gives x away. Only the result is kept for the backward pass; the argument of the
    activation is recovered from it.

    Args:
        x: [N, C, H, W], a fresh tensor.
        scale: [N, C], positive: the demodulation coefficients.
        bias: [C].
        noise: [N or 1, 1, H, W], already multiplied by its strength; None: no noise.
        gain: extra factor.
        clamp: limit of the absolute result before `gain`; None: none.

    Returns:
        [N, C, H, W].
    """
    gain, limit = gain * LRELU_GAIN, None if clamp is None else clamp * gain
    scale, bias = scale * gain, bias * gain
    noise = None if noise is None else noise * gain
    y = _ScaledBiasLeakyRelu.apply(x, scale.to(x.dtype), bias.to(x.dtype), noise)
    return y if limit is None else y.clamp(-limit, limit)


class _ScaledBiasLeakyRelu(torch.autograd.Function):
    """y = lrelu(scale x + noise + bias), overwriting x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, bias: Tensor, noise: Tensor | None) -> Tensor:
        x.mul_(scale[:, :, None, None])
        x.add_(bias[:, None, None])
        if noise is not None:
            x.add_(noise.to(x.dtype))
        F.leaky_relu_(x, LRELU_SLOPE)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x, scale, bias, noise)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        y, scale, bias, noise = ctx.saved_tensors
        grad_pre = torch.ops.aten.leaky_relu_backward(grad, y, LRELU_SLOPE, True)  # [N, C, H, W]
        per_channel = grad_pre.sum((2, 3))  # [N, C]
        grad_noise = None
        # scale x = pre - noise - bias, and grad_pre pre = grad y because lrelu is homogeneous
        against_x = (grad * y).sum((2, 3)) - per_channel * bias  # [N, C]
        if noise is not None:
            against_x = against_x - (grad_pre * noise).sum((2, 3))
            if ctx.needs_input_grad[3]:
                grad_noise = grad_pre.sum(1, keepdim=True)  # [N, 1, H, W]
                grad_noise = grad_noise.sum(0, keepdim=True) if noise.shape[0] == 1 else grad_noise
        grad_scale = against_x / scale if ctx.needs_input_grad[1] else None
        grad_bias = per_channel.sum(0) if ctx.needs_input_grad[2] else None
        factor = scale[:, :, None, None]
        grad_x = grad_pre * factor if torch.is_grad_enabled() else grad_pre.mul_(factor)
        return grad_x, grad_scale, grad_bias, grad_noise
