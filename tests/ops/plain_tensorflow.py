"""Convolutions as TensorFlow computes them, from its own layout: one sum over the taps of a kernel [k, k, in, out].

Merged kernels are built as published: the sum of four copies, shifted by a pixel. Nothing of limner runs here.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]


def draw(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng)


def he(kernel: Tensor, gain: float, *, fan_in: int | None = None) -> Tensor:
    """The kernel [..., in, out] a layer uses: gain / sqrt(fan in) times what is stored."""
    return kernel * gain / math.sqrt(fan_in or kernel[..., 0].numel())


def conv(x: Tensor, kernel: Tensor) -> Tensor:
    """Correlation with zeros around."""
    k, (height, width) = kernel.shape[0], x.shape[2:]
    x = F.pad(x, (k // 2,) * 4)
    taps = [
        torch.einsum("nchw,co->nohw", x[:, :, a : a + height, b : b + width], kernel[a, b])
        for a in range(k)
        for b in range(k)
    ]
    return torch.stack(taps).sum(0)


def merged(kernel: Tensor) -> Tensor:
    """[3, 3, ., .] to [4, 4, ., .]."""
    padded = F.pad(kernel, (0, 0, 0, 0, 1, 1, 1, 1))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def transposed_up(x: Tensor, kernel: Tensor) -> Tensor:
    """Every pixel, times the merged kernel, lands on 4 x 4 pixels of the doubled picture."""
    n, _, height, width = x.shape
    large, four = x.new_zeros(n, kernel.shape[-1], 2 * height + 2, 2 * width + 2), merged(kernel)
    for a in range(4):
        for b in range(4):
            part = torch.einsum("nchw,co->nohw", x, four[a, b])
            large[:, :, a : a + 2 * height : 2, b : b + 2 * width : 2] += part
    return large[:, :, 1:-1, 1:-1]


def strided_down(x: Tensor, kernel: Tensor) -> Tensor:
    """A quarter of the merged kernel, at every second pixel."""
    height, width, four = *x.shape[2:], merged(kernel) / 4
    x = F.pad(x, (1, 1, 1, 1))
    taps = [
        torch.einsum("nchw,co->nohw", x[:, :, a : a + height : 2, b : b + width : 2], four[a, b])
        for a in range(4)
        for b in range(4)
    ]
    return torch.stack(taps).sum(0)


def repeat(x: Tensor, factor: int = 2) -> Tensor:
    """Every pixel `factor` times in both directions."""
    return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def average(x: Tensor) -> Tensor:
    """The mean of every 2 x 2 pixels."""
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def blur(x: Tensor) -> Tensor:
    """[1, 2, 1] by itself over 16, zeros around."""
    for dim in (2, 3):
        zeros = torch.zeros_like(x.narrow(dim, 0, 1))
        size = x.shape[dim] - 1
        before, after = torch.cat([zeros, x.narrow(dim, 0, size)], dim), torch.cat([x.narrow(dim, 1, size), zeros], dim)
        x = (before + 2 * x + after) / 4
    return x


def lrelu(x: Tensor) -> Tensor:
    """Slope 0.2, no gain."""
    return torch.where(x > 0, x, 0.2 * x)


def per_channel(values: Tensor) -> Tensor:
    return values[:, None, None]
