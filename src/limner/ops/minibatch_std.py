"""Minibatch standard deviation.

Source: ProGAN paper, Section 3; group size 4 and strided groups as in the official networks. Deviation: a batch that
the group size does not divide uses the largest smaller group that does, so any batch works.
"""

from __future__ import annotations

import torch
from torch import Tensor

MBSTD_EPS = 1e-8


def minibatch_std(x: Tensor, group_size: int | None = 4, num_features: int = 1) -> Tensor:
    """Append the standard deviation over groups of samples as extra maps.

    Samples n, n + N/G, n + 2N/G, ... form a group, so a process holding every K-th sample of a batch sees whole groups
    of the full batch.

    Args:
        x: [N, C, H, W].
        group_size: G, samples compared; None: the whole batch.
        num_features: F, channels are split into this many parts with one statistic each.

    Returns:
        [N, C + F, H, W].
    """
    n, c, height, width = x.shape
    group = n if group_size is None else min(group_size, n)
    while n % group:
        group -= 1
    y = x.reshape(group, n // group, num_features, c // num_features, height, width)
    y = y - y.mean(0)  # [G, N/G, F, C/F, H, W]
    y = (y.square().mean(0) + MBSTD_EPS).sqrt()  # [N/G, F, C/F, H, W]
    y = y.mean((2, 3, 4))  # [N/G, F]
    y = y.repeat(group, 1)[:, :, None, None].expand(n, num_features, height, width)
    return torch.cat([x, y.to(x.dtype)], 1)
