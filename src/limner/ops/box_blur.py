"""The box of a 2x resampling and the blur of StyleGAN as one filter.

Source: StyleGAN paper, Section 2: bilinear sampling by a binomial filter [1, 2, 1] after upsampling and before
downsampling. The box [1, 1] of nearest-neighbour upsampling (or of the 2 x 2 mean) and the blur together are
[1, 3, 3, 1], which leaves the convolution its own k x k kernel instead of the merged one of (k + 1) x (k + 1): 1.8
times fewer multiplications at k = 3.

Between box and blur the official networks have a picture with zeros around it, which one filter does not: beyond each
edge it sees what the box made there, one pixel that the zeros would have hidden. It is subtracted along the edges.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.ops.upfirdn2d import blur2d, setup_filter, upfirdn2d


def box_blur(x: Tensor) -> Tensor:
    """Sum every 2 x 2 pixels, then blur what this gives with [1, 2, 1] / 4 in both directions and zeros around it.

    Args:
        x: [N, C, H + 1, W + 1].

    Returns:
        A fresh tensor [N, C, H, W].
    """
    if torch.compiler.is_exporting():  # the two steps, without writes to edges
        return blur2d(upfirdn2d(x, x.new_ones(2, 2)), setup_filter((1, 2, 1)).to(x))
    return _BoxBlur.apply(x, False)


def blur_box(x: Tensor) -> Tensor:
    """Apply the adjoint of `box_blur`: blur with zeros around, then sum every 2 x 2 pixels that touch the picture.

    Args:
        x: [N, C, H, W].

    Returns:
        A fresh tensor [N, C, H + 1, W + 1].
    """
    return _BoxBlur.apply(x, True)


class _BoxBlur(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, adjoint: bool) -> Tensor:
        ctx.adjoint = adjoint
        margin = 2 if adjoint else 1
        taps = x.new_ones(4)  # made where x is: nothing is copied to a device
        taps[1:3] = 3
        y = upfirdn2d(x, torch.outer(taps, taps) / 16, padding=(margin,) * 4)
        for edge in (0, -1):
            y[:, :, edge] -= _filter(x[:, :, edge], margin, edges=True) / 4
            y[:, :, :, edge] -= _filter(x[:, :, :, edge], margin, edges=False) / 4
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _BoxBlur.apply(grads[0], not ctx.adjoint), None


def _filter(line: Tensor, margin: int, *, edges: bool) -> Tensor:
    """Filter a line [N, C, L] of pixels with [1, 3, 3, 1] / 4, without or with the subtraction at its two ends."""
    padded = F.pad(line, (margin, margin))
    outer, inner = padded[..., :-3] + padded[..., 3:], padded[..., 1:-2] + padded[..., 2:-1]
    y = (outer + 3 * inner) / 4
    if edges:
        y[..., 0] -= line[..., 0] / 4
        y[..., -1] -= line[..., -1] / 4
    return y
