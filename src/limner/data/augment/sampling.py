"""Linear operators of the augmentations: reading pixels, FIR filters as matrices, bilinear sampling.

Pictures continue beyond their borders by endless reflection about the centres of the border pixels.

An FIR filter along an axis of n samples, with its resampling and its reflecting borders, is one matrix, applied by
matrix products. That costs O(n) instead of O(taps) a sample, but matrix products run so much faster than depthwise
convolutions that this is the quicker form on CPU up to 512 pixels and equal at 1024, and its second derivatives are
matrix products too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from limner.data.augment.wavelets import SYM6, SYM6_DELAY, band_filters

BILINEAR, REFLECTION = 0, 2
"""How `torch.ops.aten.grid_sampler_2d_backward` numbers its interpolation and padding modes."""


def reflect(index: Tensor, size: int) -> Tensor:
    """Fold integer positions of any value into [0, size), reflecting about the first and the last sample."""
    period = 2 * (size - 1)
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded)


def take_pixels(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read one source pixel for every pixel.

    Args:
        images: [N, C, H, W].
        rows: [N, H, W] integers in [0, H).
        columns: [N, H, W] integers in [0, W).

    Returns:
        [N, C, H, W].
    """
    channels, width = images.shape[1], images.shape[3]
    index = (rows * width + columns).flatten(1)[:, None].expand(-1, channels, -1)  # [N, C, H*W]
    return images.flatten(2).gather(2, index).view_as(images)


def upsample(images: Tensor) -> Tensor:
    """Double the sampling rate with SYM6: [N, C, H, W] to [N, C, 2H-1, 2W-1], sample 2i on the centre of pixel i."""
    vertical = _operator("up", images.shape[2], images.dtype, images.device)
    horizontal = _operator("up", images.shape[3], images.dtype, images.device)
    return vertical @ images @ horizontal.T


def downsample(samples: Tensor) -> Tensor:
    """Halve the sampling rate with SYM6 reversed: [N, C, 2H+10, 2W+10] to [N, C, H, W], pixel i from sample 2i + 5."""
    height, width = ((size - len(SYM6) + 2) // 2 for size in samples.shape[2:])
    vertical = _operator("down", height, samples.dtype, samples.device)
    horizontal = _operator("down", width, samples.dtype, samples.device)
    return vertical @ samples @ horizontal.T


def band_operators(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the four band filters along an axis of `size` samples: [4, size, size], low to high; they sum to I."""
    return _operator("bands", size, dtype, device)


@lru_cache(maxsize=32)
def _operator(kind: str, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix of a filter, kept so that it is built and moved to the device once per size."""
    matrix = {"up": _upsample_matrix, "down": _downsample_matrix, "bands": _band_matrices}[kind](size)
    with torch.inference_mode(False):
        return torch.from_numpy(matrix).to(device, dtype)


def _upsample_matrix(size: int) -> NDArray[np.float64]:
    """[2 size - 1, size]: y[m] = sqrt(2) sum_i h[m + delay - 2i] x[i] with x reflected."""
    matrix = np.zeros((2 * size - 1, size))
    for tap, weight in enumerate(SYM6):
        rows = np.arange((tap - SYM6_DELAY) % 2, 2 * size - 1, 2)
        np.add.at(matrix, (rows, _reflect((rows + SYM6_DELAY - tap) // 2, size)), np.sqrt(2) * weight)
    return matrix


def _downsample_matrix(size: int) -> NDArray[np.float64]:
    """[size, 2 size + 10]: y[i] = sqrt(1/2) sum_k h[k] x[2i + k]."""
    matrix = np.zeros((size, 2 * size + len(SYM6) - 2))
    rows = np.arange(size)
    for tap, weight in enumerate(SYM6):
        matrix[rows, 2 * rows + tap] = np.sqrt(0.5) * weight
    return matrix


def _band_matrices(size: int) -> NDArray[np.float64]:
    """[4, size, size]: y[i] = sum_k h[k] x[i + k - centre] with x reflected."""
    filters = band_filters()
    matrices = np.zeros((len(filters), size, size))
    rows, centre = np.arange(size), filters.shape[1] // 2
    for matrix, taps in zip(matrices, filters, strict=True):
        for tap, weight in enumerate(taps):
            np.add.at(matrix, (rows, _reflect(rows + tap - centre, size)), weight)
    return matrices


def _reflect(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return reflect(torch.from_numpy(index), size).numpy()


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Sample pictures bilinearly, reflecting beyond the outermost samples; differentiable twice in `images`.

    PyTorch's own `grid_sample` has no second derivative, which gradient penalties on augmented pictures need.
    Sampling is linear in the pictures, so its adjoint and sampling itself are all the derivatives there are.

    Args:
        images: [N, C, H, W].
        grid: [N, h, w, 2] x and y; -1 and 1 are the centres of the outermost samples. Gets no gradient.

    Returns:
        [N, C, h, w].
    """
    return _Sample.apply(images, grid)


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _SampleAdjoint.apply(grads[0], grid, ctx.shape), None


class _SampleAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        # The adjoint does not depend on the pictures: only their shape is read.
        images = grad.new_empty(shape)
        return torch.ops.aten.grid_sampler_2d_backward(grad, images, grid, BILINEAR, REFLECTION, True, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grads[0], grid), None, None
