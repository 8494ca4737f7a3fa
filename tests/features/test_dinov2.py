"""DINOv2: the names of its file, layer scales, resampled positions. The blocks are tested in test_vit."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from features.plain import pictures
from limner.features import dinov2
from limner.features.base import RANDOM
from limner.features.resize import bicubic


def written_out(state: dict[str, Tensor], x: Tensor, heads: int) -> Tensor:
    """The network of a file with two blocks, layer scales where they were trained."""

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]

    x = F.conv2d(x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14).flatten(2).mT
    x = torch.cat([state["cls_token"].expand(len(x), 1, -1), x], 1) + dinov2.resample_positions(state["pos_embed"], 16)
    for block in ("blocks.0", "blocks.1"):
        q, k, v = (
            part.unflatten(2, (heads, -1)).transpose(1, 2)
            for part in linear(f"{block}.attn.qkv", norm(f"{block}.norm1", x)).chunk(3, 2)
        )
        attention = torch.softmax(q @ k.mT / math.sqrt(64), -1)
        y = linear(f"{block}.attn.proj", (attention @ v).transpose(1, 2).flatten(2))
        x = x + state[f"{block}.ls1.gamma"] * y
        y = linear(f"{block}.mlp.fc2", F.gelu(linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", x))))
        x = x + state[f"{block}.ls2.gamma"] * y
    return norm("norm", x)[:, 0]


def test_class_tokens_equal_the_network_written_out() -> None:
    state = dinov2.random_state(0, width=128, depth=2)
    network = dinov2.build(state, RANDOM, "cpu")
    images = pictures(2, 40, 50)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = written_out(state, (bicubic(images, 224) / 255 - mean[:, None, None]) / std[:, None, None], heads=2)
    features = network(images)["cls"]
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    assert features.shape == (2, network.dims["cls"]) == (2, 128)
    assert (features[0] - features[1]).abs().mean() > 1e-2


def cubic(t: float) -> float:
    """The cubic convolution kernel with a = -3/4."""
    t = abs(t)
    if t <= 1:
        return 1.25 * t**3 - 2.25 * t**2 + 1
    return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


@pytest.mark.parametrize(("row", "column"), [(0, 0), (7, 3), (15, 15)])
def test_positions_are_resampled_with_the_official_offset(row: int, column: int) -> None:
    """Sample i lies at (i + 1/2) 37 / 16.1 - 1/2; beyond the border its pixel is repeated."""
    positions = torch.randn(1, 37**2 + 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    learned = positions[0, 1:, 0].view(37, 37)
    y, x = ((place + 0.5) * 37 / 16.1 - 0.5 for place in (row, column))
    expected = sum(
        cubic(y - i) * cubic(x - j) * learned[min(max(i, 0), 36), min(max(j, 0), 36)]
        for i in range(math.floor(y) - 1, math.floor(y) + 3)
        for j in range(math.floor(x) - 1, math.floor(x) + 3)
    )
    resampled = dinov2.resample_positions(positions, 16)
    assert resampled.shape == (257, 1)
    torch.testing.assert_close(resampled[1 + 16 * row + column, 0], expected)
    assert resampled[0] == positions[0, 0]
