"""The picture side of CLIP ViT-L/14 at 336 pixels, whose embedding CMMD compares.

Sources: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021); as a feature of
a distance: Jayasumana et al., "Rethinking FID: Towards a Better Evaluation Metric for Image Generation" (2024). Names
of tensors are those of `pytorch_model.bin` of `openai/clip-vit-large-patch14-336` (MIT). The embedding is not
normalised here. OpenAI's own file is a program (TorchScript) and is not read.

Deviations:
- Queries, keys and values are one layer: equal up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from limner.features import graph
from limner.features.base import RANDOM, FeatureNetwork
from limner.features.resize import BICUBIC, bicubic
from limner.features.vit import VisionTransformer
from limner.features.weights import locate, read_state

SIZE, PATCH = 336, 14
WIDTH, DEPTH, EMBEDDING = 1024, 24, 768
"""Of ViT-L, and the length of its embedding."""
NORM_EPS = 1e-5
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures CLIP was trained on, in [0, 1] (the official preprocessing)."""
BLOCK_NAMES = {"norm1": "layer_norm1", "proj": "self_attn.out_proj", "norm2": "layer_norm2"}
BLOCK_NAMES |= {"fc1": "mlp.fc1", "fc2": "mlp.fc2"}
"""Layers of a block -> their names in the file."""


def quick_gelu(x: Tensor) -> Tensor:
    """Return x sigmoid(1.702 x), CLIP's approximation of GELU."""
    return x * torch.sigmoid(1.702 * x)


class CLIP(FeatureNetwork):
    """Bytes to embeddings."""

    name = "clip"
    resize = f"{BICUBIC} to {SIZE}x{SIZE}"

    def __init__(self, sha256: str, width: int, depth: int, embedding: int) -> None:
        super().__init__()
        self.sha256, self.dims = sha256, {"embedding": embedding}
        self.transformer = VisionTransformer(
            side=SIZE, patch=PATCH, width=width, depth=depth, eps=NORM_EPS, activation=quick_gelu, has_first_norm=True
        )
        self.projection = nn.Linear(width, embedding, bias=False, device="meta")
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD)[:, None, None], persistent=False)

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """See `FeatureNetwork.extract`."""
        token = self.transformer((bicubic(images, SIZE) - self.mean) / self.std)  # [N, D]
        return {"embedding": self.projection(token)}


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> CLIP:
    """Return the network with its official weights.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("clip", weights)
    return build(read_state(file.path), file.sha256, device)


def random(seed: int) -> CLIP:
    """Return the network with random weights, on the CPU; it takes 1.2 GB."""
    return build(random_state(seed), RANDOM, "cpu")


def build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> CLIP:
    """Return the network of the size that the tensors of `state`, under the file's names, have.

    Tensors of the text side are left out.
    """
    embedding, width = state["visual_projection.weight"].shape
    depth = sum(name.startswith("vision_model.") and name.endswith(".q_proj.weight") for name in state)
    named = {f"transformer.{name}": value for name, value in _renamed(state, depth).items()}
    named["projection.weight"] = state["visual_projection.weight"]
    return graph.frozen(CLIP(sha256, width, depth, embedding), named, device)


def random_state(seed: int, *, width: int = WIDTH, depth: int = DEPTH, embedding: int = EMBEDDING) -> dict[str, Tensor]:
    """Return random tensors under the names of the file, without the text side's."""
    draw = graph.RandomTensors(seed)
    state = {"visual_projection.weight": draw.normal(embedding, width, std=1 / math.sqrt(width))}
    embeddings = "vision_model.embeddings"
    state[f"{embeddings}.class_embedding"] = draw.normal(width, std=1.0)
    state[f"{embeddings}.position_embedding.weight"] = draw.normal((SIZE // PATCH) ** 2 + 1, width, std=1.0)
    state[f"{embeddings}.patch_embedding.weight"] = draw.normal(width, 3, PATCH, PATCH, std=1 / math.sqrt(3 * PATCH**2))
    state |= draw.norm("vision_model.pre_layrnorm", width) | draw.norm("vision_model.post_layernorm", width)
    for block in (f"vision_model.encoder.layers.{index}" for index in range(depth)):
        state |= draw.norm(f"{block}.layer_norm1", width) | draw.norm(f"{block}.layer_norm2", width)
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            state |= draw.layer(f"{block}.self_attn.{part}", width, width)
        state |= draw.layer(f"{block}.mlp.fc1", 4 * width, width) | draw.layer(f"{block}.mlp.fc2", width, 4 * width)
    return state


def _renamed(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    embeddings = "vision_model.embeddings"
    patch = state[f"{embeddings}.patch_embedding.weight"]
    renamed = {
        "cls": state[f"{embeddings}.class_embedding"][None, None],
        "positions": state[f"{embeddings}.position_embedding.weight"],
        "patch.weight": patch,
        "patch.bias": torch.zeros(len(patch)),  # CLIP's patches have none
    }
    for part in ("weight", "bias"):
        renamed[f"first_norm.{part}"] = state[f"vision_model.pre_layrnorm.{part}"]  # spelled so in the file
        renamed[f"norm.{part}"] = state[f"vision_model.post_layernorm.{part}"]
        for index in range(depth):
            theirs = f"vision_model.encoder.layers.{index}"
            parts = [state[f"{theirs}.self_attn.{letter}_proj.{part}"] for letter in "qkv"]
            renamed[f"blocks.{index}.qkv.{part}"] = torch.cat(parts)
            for ours, name in BLOCK_NAMES.items():
                renamed[f"blocks.{index}.{ours}.{part}"] = state[f"{theirs}.{name}.{part}"]
    return renamed
