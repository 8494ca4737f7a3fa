"""Convolutions that resample: upsampling by a transposed, downsampling by a strided convolution.

Source: with FIR filtering, StyleGAN2 paper, Appendix B; paddings of the official networks. Filtering commutes with the
convolution, so the filter runs where there are fewer pixels or channels to touch.
With nearest-neighbour upsampling and box downsampling, ProGAN paper, Section 2 and Appendix A. Upsampled pixels come in
2 x 2 blocks, so weights that meet the same block add up; so do those of a 2 x 2 mean. Merging them gives one kernel of
(k + 1) x (k + 1) with stride 2: exact, at (k + 1)^2 / (2 k)^2 of the multiplications.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.ops.box_blur import blur_box, box_blur
from limner.ops.conv import conv2d, conv_transpose2d
from limner.ops.growing import downsample_box, upsample_nearest
from limner.ops.upfirdn2d import blur2d, downsample2d, setup_filter, upfirdn2d, upsample2d


def upsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Upsample by 2 with `kernel`, then convolve with `weight` (as a true convolution, the kernel flipped).

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        kernel: FIR kernel [K, K] summing to 1.

    Returns:
        A fresh tensor [N, O, 2 H, 2 W].
    """
    k = weight.shape[-1]
    if k == 1:
        return upsample2d(conv2d(x, weight), kernel)
    y = conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2 H + k - 2, 2 W + k - 2]
    p = (kernel.shape[0] - 2) - (k - 1)
    before, after = (p + 1) // 2 + 1, p // 2 + 1
    return upfirdn2d(y, kernel, padding=(before, after, before, after), gain=4.0)


def downsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with `weight`, then downsample by 2 with `kernel`; the filter runs first.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        kernel: FIR kernel [K, K] summing to 1.
        bias: [O] or None.

    Returns:
        A fresh tensor [N, O, H / 2, W / 2].
    """
    k = weight.shape[-1]
    if k == 1:
        return conv2d(downsample2d(x, kernel), weight, bias)
    p = (kernel.shape[0] - 2) + (k - 1)
    before, after = (p + 1) // 2, p // 2
    return conv2d(upfirdn2d(x, kernel, padding=(before, after, before, after)), weight, bias, stride=2)


def upsample_nearest_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, fused: bool = True) -> Tensor:
    """Repeat every pixel 2 x 2, then correlate with `weight`.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        bias: [O] or None.
        fused: as one transposed convolution with the merged kernel; False: in the two steps. The result is the same.

    Returns:
        A fresh tensor [N, O, 2 H, 2 W].
    """
    padding = weight.shape[-1] // 2
    if not fused:
        return conv2d(upsample_nearest(x), weight, bias, padding=padding)
    merged = _merge(weight, rotated=True).transpose(0, 1)  # [I, O, k + 1, k + 1]
    return conv_transpose2d(x, merged, bias, stride=2, padding=padding)


def conv2d_downsample_box(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, fused: bool = True) -> Tensor:
    """Correlate with `weight`, then take the mean of every 2 x 2 pixels.

    Args:
        x: [N, I, H, W] with even H and W.
        weight: [O, I, k, k] with odd k.
        bias: [O] or None.
        fused: as one strided convolution with the merged kernel; False: in the two steps. The result is the same.

    Returns:
        A fresh tensor [N, O, H / 2, W / 2].
    """
    padding = weight.shape[-1] // 2
    if not fused:
        return downsample_box(conv2d(x, weight, bias, padding=padding))
    return conv2d(x, _merge(weight / 4), bias, stride=2, padding=padding)


def upsample_nearest_conv2d_blur(x: Tensor, weight: Tensor, *, fused: bool = True) -> Tensor:
    """Repeat every pixel 2 x 2, correlate with `weight`, then blur with [1, 2, 1] (StyleGAN's doubling).

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k >= 3.
        fused: with box and blur as one filter (see `box_blur`); False: in the three steps. The result is the same.

    Returns:
        A fresh tensor [N, O, 2 H, 2 W].
    """
    if not fused:
        return blur2d(upsample_nearest_conv2d(x, weight, fused=False), setup_filter((1, 2, 1)).to(x.device))
    flipped = weight.flip((2, 3)).transpose(0, 1)  # [I, O, k, k]
    y = conv_transpose2d(x, flipped, stride=2, padding=weight.shape[-1] // 2 - 1)  # [N, O, 2 H + 1, 2 W + 1]
    return box_blur(y)


def blur_conv2d_downsample_box(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, fused: bool = True) -> Tensor:
    """Blur with [1, 2, 1], correlate with `weight`, then take the mean of every 2 x 2 pixels (StyleGAN's halving).

    Args:
        x: [N, I, H, W] with even H and W.
        weight: [O, I, k, k] with odd k >= 3.
        bias: [O] or None.
        fused: with blur and box as one filter (see `box_blur`); False: in the three steps. The result is the same.

    Returns:
        A fresh tensor [N, O, H / 2, W / 2].
    """
    if not fused:
        return conv2d_downsample_box(blur2d(x, setup_filter((1, 2, 1)).to(x.device)), weight, bias, fused=False)
    return conv2d(blur_box(x), weight / 4, bias, stride=2, padding=weight.shape[-1] // 2 - 1)


def _merge(weight: Tensor, *, rotated: bool = False) -> Tensor:
    """Sum of the four copies of kernels [O, I, k, k] shifted by 0 or 1 pixel in both directions, [O, I, k + 1, k + 1].

    As a product with a matrix of zeros and ones, which reads wide layers' weights once, forward and backward.
    """
    k = weight.shape[-1]
    taps = torch.eye(k * k, dtype=weight.dtype, device=weight.device).view(k * k, k, k)
    rows = F.pad(taps, (0, 0, 0, 1)) + F.pad(taps, (0, 0, 1, 0))
    copies = F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))  # [k^2, k + 1, k + 1]
    copies = copies.flip((1, 2)) if rotated else copies
    return (weight.flatten(2) @ copies.flatten(1)).unflatten(2, (k + 1, k + 1))
