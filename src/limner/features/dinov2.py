"""DINOv2 ViT-L/14, whose class token the distance FD-DINOv2 (`fd_dinov2`) compares.

Sources: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023); as a feature of a Frechet
distance: Stein et al., "Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion
models" (2023). Names of tensors are those of the official file `dinov2_vitl14_pretrain.pth` (Apache-2.0), whose
positions, learned at 37 x 37 patches, are resampled to 16 x 16 as the official model does: bicubic at a scale of
16.1 / 37. Pictures are resized to 224 pixels and normalised with ImageNet's mean and standard deviation.

Deviations:
- The layer scales are folded into the layers before them: equal up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.features import graph
from limner.features.base import RANDOM, FeatureNetwork
from limner.features.resize import BICUBIC, bicubic
from limner.features.vgg import MEAN, STD
from limner.features.vit import VisionTransformer
from limner.features.weights import locate, read_state

SIZE, PATCH = 224, 14
WIDTH, DEPTH = 1024, 24
"""Of ViT-L."""
TRAINED_GRID = 37
"""Patches a side at which the positions were learned."""
OFFSET = 0.1
"""What the official model adds to the number of patches before it resamples positions."""
NORM_EPS = 1e-6


class DINOv2(FeatureNetwork):
    """Bytes to class tokens."""

    name = "dinov2"
    resize = f"{BICUBIC} to {SIZE}x{SIZE}"

    def __init__(self, sha256: str, width: int, depth: int) -> None:
        super().__init__()
        self.sha256, self.dims = sha256, {"cls": width}
        self.transformer = VisionTransformer(
            side=SIZE, patch=PATCH, width=width, depth=depth, eps=NORM_EPS, activation=F.gelu, has_first_norm=False
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD)[:, None, None], persistent=False)

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """See `FeatureNetwork.extract`."""
        return {"cls": self.transformer((bicubic(images, SIZE) - self.mean) / self.std)}


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> DINOv2:
    """Return the network with its official weights.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("dinov2", weights)
    return build(read_state(file.path), file.sha256, device)


def random(seed: int) -> DINOv2:
    """Return the network with random weights, on the CPU; it takes 1.2 GB."""
    return build(random_state(seed), RANDOM, "cpu")


def build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> DINOv2:
    """Return the network of the width and depth that the tensors of `state`, under the file's names, have."""
    depth = sum(name.endswith(".attn.qkv.weight") for name in state)
    network = DINOv2(sha256, state["cls_token"].shape[2], depth)
    named = {f"transformer.{name}": value for name, value in _renamed(state, depth).items()}
    return graph.frozen(network, named, device)


def random_state(seed: int, *, width: int = WIDTH, depth: int = DEPTH) -> dict[str, Tensor]:
    """Return random tensors under the names of the file."""
    draw = graph.RandomTensors(seed)
    state = {"cls_token": draw.normal(1, 1, width, std=1.0), "mask_token": torch.zeros(1, width)}
    state |= {"pos_embed": draw.normal(1, TRAINED_GRID**2 + 1, width, std=1.0)}
    state |= draw.layer("patch_embed.proj", width, 3, PATCH, PATCH)
    for block in (f"blocks.{index}" for index in range(depth)):
        state |= draw.norm(f"{block}.norm1", width) | draw.norm(f"{block}.norm2", width)
        state |= draw.layer(f"{block}.attn.qkv", 3 * width, width) | draw.layer(f"{block}.attn.proj", width, width)
        state |= draw.layer(f"{block}.mlp.fc1", 4 * width, width) | draw.layer(f"{block}.mlp.fc2", width, 4 * width)
        state |= {f"{block}.ls1.gamma": draw.normal(width, std=0.5), f"{block}.ls2.gamma": draw.normal(width, std=0.5)}
    return state | draw.norm("norm", width)


def resample_positions(positions: Tensor, grid: int) -> Tensor:
    """Resample positions [1, 1 + n^2, D] learned at n x n patches: [1 + grid^2, D]; the class token's is kept."""
    learned = math.isqrt(positions.shape[1] - 1)
    places = positions[:, 1:].unflatten(1, (learned, learned)).permute(0, 3, 1, 2)  # [1, D, n, n]
    scale = (grid + OFFSET) / learned
    places = F.interpolate(places, scale_factor=(scale, scale), mode="bicubic")  # [1, D, grid, grid]
    return torch.cat([positions[0, :1], places[0].flatten(1).T])


def _renamed(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    renamed = {
        "cls": state["cls_token"],
        "positions": resample_positions(state["pos_embed"], SIZE // PATCH),
        "patch.weight": state["patch_embed.proj.weight"],
        "patch.bias": state["patch_embed.proj.bias"],
        "norm.weight": state["norm.weight"],
        "norm.bias": state["norm.bias"],
    }
    for block in (f"blocks.{index}" for index in range(depth)):
        scales = {"proj": state[f"{block}.ls1.gamma"], "fc2": state[f"{block}.ls2.gamma"]}
        for name, ours in (
            ("norm1", "norm1"),
            ("attn.qkv", "qkv"),
            ("attn.proj", "proj"),
            ("norm2", "norm2"),
            ("mlp.fc1", "fc1"),
            ("mlp.fc2", "fc2"),
        ):
            weight, bias = state[f"{block}.{name}.weight"], state[f"{block}.{name}.bias"]
            scale = scales.get(ours)
            renamed[f"{block}.{ours}.weight"] = weight if scale is None else weight * scale[:, None]
            renamed[f"{block}.{ours}.bias"] = bias if scale is None else bias * scale
    return renamed
