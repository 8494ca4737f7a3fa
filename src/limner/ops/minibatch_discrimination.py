"""Minibatch discrimination: features that say how close a sample is to the others of its batch.

Source: Salimans et al., "Improved Techniques for Training GANs" (2016), Section 3.2; ProGAN paper, Table 1 row (e*).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MinibatchDiscrimination(nn.Module):
    """Append o_b(x_i) = sum over j of exp(-|M_ib - M_jb|_1) for every kernel b, where M_i = x_i T.

    The sum runs over the whole batch, the sample itself included, as in the paper: a sample that is like no other has
    features of 1, N equal ones have N.
    """

    def __init__(self, in_features: int, num_kernels: int = 100, kernel_dim: int = 5) -> None:
        super().__init__()
        self.num_kernels = num_kernels
        self.weight = nn.Parameter(torch.randn(in_features, num_kernels * kernel_dim) / math.sqrt(in_features))

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in_features] to [N, in_features + num_kernels]."""
        m = (x @ self.weight).unflatten(1, (self.num_kernels, -1))  # [N, B, C]
        distances = (m[:, None] - m[None]).abs().sum(3)  # [N, N, B]
        return torch.cat([x, torch.exp(-distances).sum(1)], 1)
