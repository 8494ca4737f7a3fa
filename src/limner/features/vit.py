"""The vision transformer that DINOv2 and CLIP share.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale" (2021), Section
3.1: patches become tokens, a class token is put before them, positions are added, and blocks of self-attention and a
perceptron of four times the width, both after a normalisation and beside a shortcut, are applied. Heads are 64 wide.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 64

Activation = Callable[[Tensor], Tensor]


class Block(nn.Module):
    """Self-attention and perceptron."""

    def __init__(self, width: int, eps: float, activation: Activation) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps, device="meta")
        self.qkv = nn.Linear(width, 3 * width, device="meta")
        self.proj = nn.Linear(width, width, device="meta")
        self.norm2 = nn.LayerNorm(width, eps, device="meta")
        self.fc1 = nn.Linear(width, 4 * width, device="meta")
        self.fc2 = nn.Linear(4 * width, width, device="meta")
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """x [N, T, D] to the same."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)  # [N, heads, T, 64]
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [N, T, D]
        x = x + self.proj(y)
        return x + self.fc2(self.activation(self.fc1(self.norm2(x))))


class VisionTransformer(nn.Module):
    """Pictures to class tokens."""

    def __init__(
        self,
        *,
        side: int,
        patch: int,
        width: int,
        depth: int,
        eps: float,
        activation: Activation,
        has_first_norm: bool,
    ) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch, device="meta")
        self.register_buffer("cls", torch.empty(1, 1, width, device="meta"))
        self.register_buffer("positions", torch.empty((side // patch) ** 2 + 1, width, device="meta"))
        self.first_norm = nn.LayerNorm(width, eps, device="meta") if has_first_norm else nn.Identity()
        self.blocks = nn.Sequential(*(Block(width, eps, activation) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures [N, 3, side, side] to normalised class tokens [N, D]."""
        tokens = self.patch(x).flatten(2).transpose(1, 2)  # [N, T - 1, D]
        cls = self.get_buffer("cls").expand(len(x), -1, -1)
        x = torch.cat([cls, tokens], 1) + self.get_buffer("positions")  # [N, T, D]
        return self.norm(self.blocks(self.first_norm(x))[:, 0])
