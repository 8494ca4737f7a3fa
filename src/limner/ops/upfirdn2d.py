"""Upsample, pad, filter with an FIR kernel, downsample: the resampling of StyleGAN2.

Source: StyleGAN2 paper, Appendix B (bilinear filtering by [1, 3, 3, 1]); paddings of the official networks.
The backward of the operation is the same operation with the roles of `up` and `down` exchanged and the kernel flipped,
so the autograd function calls itself and is closed under differentiation of any order. Zero-insertion is never
materialised: upsampling is a depthwise transposed convolution, downsampling a depthwise strided one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = tuple[int, int, int, int]
"""(left, right, top, bottom) pixels, counted after upsampling; negative values crop."""


def setup_filter(taps: Sequence[float] = (1, 3, 3, 1)) -> Tensor:
    """Return the separable kernel of `taps` as an outer product [K, K] that sums to 1."""
    row = torch.tensor(taps, dtype=torch.float32)
    kernel = torch.outer(row, row)
    return kernel / kernel.sum()


def upfirdn2d(
    x: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, padding: Padding = (0, 0, 0, 0), gain: float = 1.0
) -> Tensor:
    """Insert zeros, pad, convolve with `kernel`, keep every `down`-th pixel.

    Args:
        x: [N, C, H, W].
        kernel: [K, K]; not differentiated.
        up: upsampling factor.
        down: downsampling factor.
        padding: (left, right, top, bottom), pixels after upsampling.
        gain: factor on the result.

    Returns:
        [N, C, H', W'] with H' = (H up + top + bottom - K) // down + 1.
    """
    return _Upfirdn2d.apply(x, kernel * gain if gain != 1 else kernel, up, down, padding)


def upsample2d(x: Tensor, kernel: Tensor, factor: int = 2) -> Tensor:
    """Upsample [N, C, H, W] to [N, C, H factor, W factor]; a constant stays itself away from the borders."""
    p = kernel.shape[0] - factor
    before, after = (p + 1) // 2 + factor - 1, p // 2
    return upfirdn2d(x, kernel, up=factor, padding=(before, after, before, after), gain=float(factor**2))


def downsample2d(x: Tensor, kernel: Tensor, factor: int = 2) -> Tensor:
    """Downsample [N, C, H, W] to [N, C, H / factor, W / factor]; a constant stays itself away from the borders."""
    p = kernel.shape[0] - factor
    before, after = (p + 1) // 2, p // 2
    return upfirdn2d(x, kernel, down=factor, padding=(before, after, before, after))


def blur2d(x: Tensor, kernel: Tensor) -> Tensor:
    """Filter every channel of [N, C, H, W] with an odd kernel [K, K], with zeros beyond the edges; the size is kept."""
    margin = kernel.shape[0] // 2
    return upfirdn2d(x, kernel, padding=(margin, margin, margin, margin))


class _Upfirdn2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, up: int, down: int, padding: Padding) -> Tensor:
        ctx.save_for_backward(kernel)
        y = _apply(x, kernel, up, down, padding)
        left, _, top, _ = padding
        k = kernel.shape[0]
        ctx.adjoint = (
            down,
            up,
            (
                k - 1 - left,
                x.shape[3] * up - y.shape[3] * down + left - up + 1,
                k - 1 - top,
                x.shape[2] * up - y.shape[2] * down + top - up + 1,
            ),
        )
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (kernel,) = ctx.saved_tensors
        return _Upfirdn2d.apply(grads[0], kernel.flip((0, 1)), *ctx.adjoint), None, None, None, None


def _apply(x: Tensor, kernel: Tensor, up: int, down: int, padding: Padding) -> Tensor:
    channels, k = x.shape[1], kernel.shape[0]
    weight = kernel.to(x.dtype).expand(channels, 1, k, k)
    left, right, top, bottom = padding
    if up == 1:
        flipped = weight.flip((2, 3)).contiguous()  # convolution, written as a correlation
        if left == right == top == bottom and left >= 0:
            return F.conv2d(x, flipped, stride=down, padding=left, groups=channels)
        return F.conv2d(F.pad(x, padding), flipped, stride=down, groups=channels)
    # A transposed convolution gives every output whose window touches the picture; padding crops or extends that.
    full = F.conv_transpose2d(x, weight.contiguous(), stride=up, output_padding=up - 1, groups=channels)
    margin = k - 1
    full = F.pad(full, (left - margin, right - margin, top - margin, bottom - margin))
    return full[:, :, ::down, ::down].contiguous(memory_format=_format(x)) if down > 1 else full


def _format(x: Tensor) -> torch.memory_format:
    return torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
