"""Statistics of tiny seeded networks, stored once: a change of arithmetic, initialisation or layout shows here.

`python tests/papers/progan/test_golden.py` writes them anew; do that only for an intended change, and say which.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.papers.progan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

GOLDEN = Path(__file__).parents[2] / "golden" / "progan.json"
PIXELS = ((0, 0, 0, 0), (0, 1, 7, 12), (1, 2, 23, 15), (1, 0, 11, 3))
ERAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "baseline": (
        {"normalization": "batch", "activation": "relu", "tanh": True, "equalized": False, "normalize_latents": False},
        {"normalization": "layer", "equalized": False, "mbstd_features": 0, "fused_scale": False},
    ),
    "paper": ({}, {"fused_scale": False}),
    "fused": ({}, {}),
}
"""Rows a and g of Table 1 and the later official networks: options of G and of D."""


def summary(values: Tensor) -> dict[str, float]:
    return {"mean": values.mean().item(), "std": values.std().item(), "absmax": values.abs().max().item()}


def measure(era: str) -> dict[str, object]:
    """A generator and a discriminator of 24 x 16 pixels and three classes, seeded, on latents of seeds 0 and 1."""
    torch.manual_seed(0)
    g_options, d_options = ERAS[era]
    size: dict[str, Any] = {"img_resolution": (24, 16), "c_dim": 3, "channel_base": 128, "channel_max": 16}
    generator = Generator(GeneratorConfig(z_dim=8, **size, **g_options)).eval()
    discriminator = Discriminator(DiscriminatorConfig(**size, **d_options)).eval()
    z = torch.from_numpy(np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in (0, 1)])).float()
    with torch.no_grad():
        ws = generator.mapping(z, torch.eye(3)[[2, 0]])
        images, fading = generator.synthesis(ws), generator.synthesis_network(ws, 0.25)
        score, classes = discriminator.score_and_classes(images)
        score_fading, _ = discriminator.score_and_classes(fading, lod=0.25)
    return {
        "ws": summary(ws),
        "images": summary(images),
        "fading": summary(fading),
        "pixels": [images[place].item() for place in PIXELS],
        "scores": [*score.flatten().tolist(), *score_fading.flatten().tolist()],
        "classes": classes.flatten().tolist(),
    }


def flat(values: object) -> list[float]:
    if isinstance(values, dict):
        return [number for value in values.values() for number in flat(value)]
    if isinstance(values, list):
        return [number for value in values for number in flat(value)]
    assert isinstance(values, float)
    return [values]


@pytest.mark.parametrize("era", ERAS)
def test_seeded_networks_still_make_the_stored_pictures_and_scores(era: str) -> None:
    stored, now = json.loads(GOLDEN.read_text(encoding="utf-8"))[era], measure(era)
    assert stored.keys() == now.keys()
    assert flat(now) == pytest.approx(flat(stored), rel=1e-4, abs=1e-4)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({era: measure(era) for era in ERAS}, indent=1) + "\n", encoding="utf-8")
