"""Going through a batch of pictures in blocks that stay in the processor's cache.

A formula of tensor operations makes a pass over memory for each of its steps, and large intermediate tensors cost as
much again in page faults. An operation that takes its steps block by block makes one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

BLOCK_ELEMENTS = 2**18
"""Numbers in a block: 1 MB of float32, half of the second-level cache of a present server core."""

Block = tuple[slice, slice, slice]
"""Samples, channels and rows; the first two index what a channel has one of, [N, C, 1, 1]."""


def blocks(x: Tensor) -> Iterator[Block]:
    """Yield the blocks of x [N, C, H, W]: samples of small pictures, rows of a large one; off the CPU all of x."""
    n, c, height, width = x.shape
    everything = slice(None)
    if x.device.type != "cpu":
        yield everything, everything, everything
        return
    samples = max(1, BLOCK_ELEMENTS // max(1, c * height * width))
    rows = height if samples > 1 else max(1, BLOCK_ELEMENTS // (c * width))
    for sample in range(0, n, samples):
        for row in range(0, height, rows):
            yield slice(sample, sample + samples), everything, slice(row, row + rows)


def moments(x: Tensor, prepare: Callable[[Block], object] | None = None) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance [N, C, 1, 1] of every channel of x [N, C, H, W] over its pixels.

    Deviations are taken from the mean of the first row, so that a mean much larger than the deviation cancels nothing.

    Args:
        x: [N, C, H, W].
        prepare: called with every block before it is read; may write to that block of x.
    """
    pixels = x.shape[2] * x.shape[3]
    first = x.new_zeros(*x.shape[:2], 1, 1, dtype=torch.promote_types(x.dtype, torch.float32))
    second, pivot = torch.zeros_like(first), torch.zeros_like(first)
    for block in blocks(x):
        at, values = block[:2], x[block]
        if prepare is not None:
            prepare(block)
        if not block[2].start:
            pivot[at] = values[:, :, :1].mean((2, 3), keepdim=True, dtype=pivot.dtype)
        deviations = values - pivot[at]
        first[at].add_(deviations.sum((2, 3), keepdim=True))
        second[at].add_(deviations.square_().sum((2, 3), keepdim=True))
    first /= pixels
    return pivot + first, (second / pixels - first.square()).clamp(min=0)
