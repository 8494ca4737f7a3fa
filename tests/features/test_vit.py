"""The vision transformer against torch's own encoder layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.features.clip import quick_gelu
from limner.features.graph import frozen
from limner.features.vit import Activation, VisionTransformer


@pytest.mark.parametrize(("activation", "has_first_norm"), [(F.gelu, False), (quick_gelu, True)])
def test_the_blocks_equal_torchs_encoder_layers(activation: Activation, has_first_norm: bool) -> None:
    network = VisionTransformer(
        side=12, patch=4, width=128, depth=2, eps=1e-6, activation=activation, has_first_norm=has_first_norm
    )
    stream = torch.Generator().manual_seed(0)
    state = {name: 0.2 * torch.randn(value.shape, generator=stream) for name, value in network.state_dict().items()}
    x = torch.randn(2, 3, 12, 12, generator=stream)
    tokens = torch.stack([_patch(x, row, column) for row in range(3) for column in range(3)], 1)  # [2, 9, 48]
    tokens = tokens @ state["patch.weight"].flatten(1).T + state["patch.bias"]
    expected = torch.cat([state["cls"].expand(2, 1, 128), tokens], 1) + state["positions"]
    if has_first_norm:
        expected = F.layer_norm(expected, (128,), state["first_norm.weight"], state["first_norm.bias"], 1e-6)
    for index in range(2):
        expected = _torch_layer(state, f"blocks.{index}", activation)(expected)
    expected = F.layer_norm(expected[:, 0], (128,), state["norm.weight"], state["norm.bias"], 1e-6)
    torch.testing.assert_close(frozen(network, state)(x), expected, atol=1e-4, rtol=1e-4)


def _patch(x: Tensor, row: int, column: int) -> Tensor:
    return x[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)


def _torch_layer(state: dict[str, Tensor], block: str, activation: Activation) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        128, 2, 512, 0.0, activation, layer_norm_eps=1e-6, batch_first=True, norm_first=True, device="meta"
    )
    names = {"self_attn.in_proj_": "qkv.", "self_attn.out_proj.": "proj.", "linear1.": "fc1.", "linear2.": "fc2."}
    names |= {"norm1.": "norm1.", "norm2.": "norm2."}
    tensors = {
        f"{theirs}{part}": state[f"{block}.{ours}{part}"]
        for theirs, ours in names.items()
        for part in ("weight", "bias")
    }
    return frozen(layer, tensors)
