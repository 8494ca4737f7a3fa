"""Weight modulation and demodulation, computed on activations.

Source: StyleGAN2 paper, Section 2.2, Equations 1 to 3. The paper scales the weights of every sample; scaling the
activations by s, convolving with the shared weight, and scaling the result by the demodulation coefficients is the same
map (convolution is linear in each input channel) without a weight per sample and without grouped convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.ops.conv import conv2d
from limner.ops.resample_conv import upsample_conv2d

DEMODULATION_EPS = 1e-8
"""Keeps the demodulation coefficient finite (StyleGAN2 paper, Equation 3)."""


def demodulation(weight: Tensor, s: Tensor) -> Tensor:
    """Return the coefficients that restore unit variance (StyleGAN2 paper, Equation 3).

    Args:
        weight: [O, I, kh, kw].
        s: [N, I] styles.

    Returns:
        [N, O]: 1 / sqrt(sum over i, k of (s_i w_oik)^2 + eps), as one matrix product.
    """
    energy = weight.square().sum((2, 3))  # [O, I]
    return (s.square() @ energy.t() + DEMODULATION_EPS).rsqrt()


def modulated_conv2d(x: Tensor, weight: Tensor, s: Tensor, *, up: int = 1, kernel: Tensor | None = None) -> Tensor:
    """Convolve x, modulated by s, without demodulating; multiply the result by `demodulation(weight, s)`.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        s: [N, I] styles.
        up: 1, or 2 to upsample first.
        kernel: FIR kernel [K, K]; needed when `up` is 2.

    Returns:
        A fresh tensor [N, O, H up, W up].
    """
    x = x * s.to(x.dtype)[:, :, None, None]
    weight = weight.to(x.dtype)
    if up == 1:
        return conv2d(x, weight, padding=weight.shape[-1] // 2)
    assert kernel is not None
    return upsample_conv2d(x, weight, kernel)


def modulated_pointwise(x: Tensor, weight: Tensor, s: Tensor) -> Tensor:
    """Apply a modulated 1x1 convolution with few outputs (toRGB): one matrix product per sample.

    Args:
        x: [N, I, H, W].
        weight: [O, I].
        s: [N, I] styles.

    Returns:
        [N, O, H, W] in the memory format of x.
    """
    n, _, height, width = x.shape
    per_sample = (weight * s[:, None, :]).to(x.dtype)  # [N, O, I]
    if x.is_contiguous(memory_format=torch.channels_last):
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # [N, H W, I]
        y = torch.bmm(pixels, per_sample.transpose(1, 2))  # [N, H W, O]
        return y.view(n, height, width, -1).permute(0, 3, 1, 2)
    return torch.bmm(per_sample, x.flatten(2)).view(n, -1, height, width)
