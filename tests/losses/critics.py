"""Discriminators whose derivatives are known, and a small one of layers to compare gradients on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.ops.conv import conv2d


class LinearCritic(nn.Module):
    """D(x) = w . x: its gradient is w at every picture."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).sum((1, 2, 3))[:, None]


class ConvCritic(nn.Module):
    """Two convolutions with something smooth between them; `native` uses torch's own convolution."""

    def __init__(self, channels: int, *, native: bool = False) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(shape, dtype=torch.float64) / 3) for shape in ((4, channels, 3, 3), (1, 4, 3, 3))
        )
        self.convolve = F.conv2d if native else conv2d

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.softplus(self.convolve(x, self.weights[0], padding=1))
        return self.convolve(hidden, self.weights[1], stride=2).square().sum((2, 3))
