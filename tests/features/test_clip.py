"""CLIP's picture side against OpenAI's own network, which torch-fidelity carries."""

from __future__ import annotations

import torch
from torch import Tensor

from features.plain import Oracle, pictures
from limner.features import clip
from limner.features.base import RANDOM
from limner.features.resize import bicubic


def openai_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the file under the names of OpenAI's model."""
    embeddings = "vision_model.embeddings"
    renamed = {
        "class_embedding": state[f"{embeddings}.class_embedding"],
        "positional_embedding": state[f"{embeddings}.position_embedding.weight"],
        "conv1.weight": state[f"{embeddings}.patch_embedding.weight"],
        "proj": state["visual_projection.weight"].T,
    }
    for part in ("weight", "bias"):
        renamed[f"ln_pre.{part}"] = state[f"vision_model.pre_layrnorm.{part}"]
        renamed[f"ln_post.{part}"] = state[f"vision_model.post_layernorm.{part}"]
        for index in range(2):
            theirs, ours = f"transformer.resblocks.{index}", f"vision_model.encoder.layers.{index}"
            parts = [state[f"{ours}.self_attn.{letter}_proj.{part}"] for letter in "qkv"]
            renamed[f"{theirs}.attn.in_proj_{part}"] = torch.cat(parts)
            renamed[f"{theirs}.attn.out_proj.{part}"] = state[f"{ours}.self_attn.out_proj.{part}"]
            renamed[f"{theirs}.ln_1.{part}"] = state[f"{ours}.layer_norm1.{part}"]
            renamed[f"{theirs}.ln_2.{part}"] = state[f"{ours}.layer_norm2.{part}"]
            renamed[f"{theirs}.mlp.c_fc.{part}"] = state[f"{ours}.mlp.fc1.{part}"]
            renamed[f"{theirs}.mlp.c_proj.{part}"] = state[f"{ours}.mlp.fc2.{part}"]
    return renamed


def test_embeddings_equal_those_of_openais_network(oracle: Oracle) -> None:
    module = oracle("torch_fidelity", "feature_extractor_clip")
    state = clip.random_state(0, width=128, depth=2, embedding=48)
    theirs = module.VisionTransformer(336, 14, 128, 2, 2, 48).eval()
    theirs.load_state_dict(openai_names(state))
    network = clip.build({**state, "text_model.final_layer_norm.bias": torch.zeros(1)}, RANDOM, "cpu")
    images = pictures(2, 40, 50)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.no_grad():
        expected = theirs((bicubic(images, 336) / 255 - mean) / std)
    embedding = network(images)["embedding"]
    torch.testing.assert_close(embedding, expected, atol=1e-4, rtol=1e-4)
    assert embedding.shape == (2, network.dims["embedding"]) == (2, 48)
    assert (embedding[0] - embedding[1]).abs().mean() > 1e-2
