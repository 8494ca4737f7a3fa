"""Slow references of the operations, written from the papers' formulas with torch's own differentiable functions.

Nothing here imports limner: zero insertion is materialised, filters are sums over taps, modulated weights are built for
every sample. All of it runs in float64, so it also says how far float32 is off.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def insert_zeros(x: Tensor, factor: int) -> Tensor:
    """[N, C, H, W] to [N, C, H factor, W factor]: every pixel followed by factor - 1 zeros."""
    n, c, height, width = x.shape
    rows = torch.stack([x, *[torch.zeros_like(x)] * (factor - 1)], 3).reshape(n, c, height * factor, width)
    return torch.stack([rows, *[torch.zeros_like(rows)] * (factor - 1)], 4).reshape(
        n, c, height * factor, width * factor
    )


def filter2d(x: Tensor, kernel: Tensor) -> Tensor:
    """Valid true convolution of every channel: y[i, j] = sum over a, b of kernel[a, b] x[i + K-1-a, j + K-1-b]."""
    rows, columns = kernel.shape
    height, width = x.shape[2] - rows + 1, x.shape[3] - columns + 1
    terms = [
        kernel[a, b] * x[:, :, rows - 1 - a : rows - 1 - a + height, columns - 1 - b : columns - 1 - b + width]
        for a in range(rows)
        for b in range(columns)
    ]
    return torch.stack(terms).sum(0)


def upfirdn2d(x: Tensor, kernel: Tensor, up: int, down: int, padding: tuple[int, int, int, int]) -> Tensor:
    """Insert zeros, pad or crop, filter, keep every `down`-th pixel: one step after the other."""
    return filter2d(F.pad(insert_zeros(x, up), padding), kernel)[:, :, ::down, ::down]


def fir() -> Tensor:
    """The outer product of [1, 3, 3, 1] with itself, over its sum."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    return torch.outer(taps, taps) / 64


def upsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Zeros inserted, everything filtered and truly convolved without cropping, then cropped.

    Pixel j of x sits at 2j + 1/2 of the result. Zero insertion puts it at 2j, the filters' centres add (K - 1) / 2 and
    (k - 1) / 2, so the crop starts at (K + k - 3) / 2.
    """
    k, taps = weight.shape[-1], kernel.shape[0]
    margin = taps + k - 2
    full = filter2d(F.pad(insert_zeros(x, 2), (margin,) * 4), 4 * kernel)
    full = F.conv2d(full, weight.flip((2, 3)))
    start = (taps + k - 3) // 2
    return full[:, :, start : start + 2 * x.shape[2], start : start + 2 * x.shape[3]]


def downsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Everything filtered and correlated without cropping, then every second pixel kept.

    Pixel i of the result sits at 2i + 1/2 of x, hence at 2i + (K + k - 1) / 2 of the uncropped result.
    """
    k, taps = weight.shape[-1], kernel.shape[0]
    margin = taps + k - 2
    full = F.conv2d(filter2d(F.pad(x, (margin,) * 4), kernel), weight)
    start = (taps + k - 1) // 2
    return full[:, :, start : start + x.shape[2] : 2, start : start + x.shape[3] : 2]


def modulated_weight(weight: Tensor, s: Tensor, *, demodulate: bool) -> Tensor:
    """StyleGAN2 paper, Equations 1 and 3, for one sample: weight [O, I, k, k], s [I]."""
    modulated = s[None, :, None, None] * weight
    if not demodulate:
        return modulated
    return modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()


def modulated_conv2d(x: Tensor, weight: Tensor, s: Tensor, *, demodulate: bool = True, up: int = 1) -> Tensor:
    """A convolution per sample with that sample's weight."""
    samples = []
    for sample, style in zip(x, s, strict=True):
        own = modulated_weight(weight, style, demodulate=demodulate)
        if up == 2:
            samples.append(upsample_conv2d(sample[None], own, fir().to(x.dtype)))
        else:
            samples.append(F.conv2d(sample[None], own, padding=weight.shape[-1] // 2))
    return torch.cat(samples)


def leaky_relu(x: Tensor) -> Tensor:
    """Slope 0.2, gain sqrt(2)."""
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def pixel_norm(x: Tensor) -> Tensor:
    """x over its root mean square along the second dimension."""
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def minibatch_std(x: Tensor, group: int, num_features: int = 1) -> Tensor:
    """By loops over groups of samples n, n + N/G, n + 2N/G, ... and over the parts of the channels."""
    n, c, height, width = x.shape
    stride, part = n // group, c // num_features
    maps = x.new_zeros(n, num_features, height, width)
    for first in range(stride):
        members = list(range(first, n, stride))
        for feature in range(num_features):
            values = x[members, feature * part : (feature + 1) * part]
            deviation = (values.var(0, unbiased=False) + 1e-8).sqrt().mean()
            for member in members:
                maps[member, feature] = deviation
    return torch.cat([x, maps], 1)
