"""Statistics of tiny seeded networks, stored once: a change of arithmetic, initialisation or layout shows here.

`python tests/papers/stylegan2/test_golden.py` writes them anew; do that only for an intended change, and say which.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.papers.stylegan2 import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

GOLDEN = Path(__file__).parents[2] / "golden" / "stylegan2.json"
ARCHITECTURES = ("orig", "skip", "resnet")
PIXELS = ((0, 0, 0, 0), (0, 1, 7, 12), (1, 2, 23, 15), (1, 0, 11, 3))


def summary(values: Tensor) -> dict[str, float]:
    return {"mean": values.mean().item(), "std": values.std().item(), "absmax": values.abs().max().item()}


def measure(architecture: str) -> dict[str, object]:
    """A generator and a discriminator of 24 x 16 pixels and three classes, seeded, on latents of seeds 0 and 1."""
    torch.manual_seed(0)
    size = {
        "img_resolution": (24, 16),
        "c_dim": 3,
        "channel_base": 128,
        "channel_max": 16,
        "architecture": architecture,
    }
    generator = Generator(GeneratorConfig(z_dim=8, w_dim=12, mapping_layers=2, **size)).eval()
    discriminator = Discriminator(DiscriminatorConfig(mapping_layers=2, **size)).eval()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
        z = torch.from_numpy(np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in (0, 1)])).float()
        c = torch.eye(3)[[2, 0]]
        ws = generator.mapping(z, c)
        images = generator.synthesis(ws)
        logits = discriminator(images, c)
    return {
        "ws": summary(ws),
        "images": summary(images),
        "pixels": [images[place].item() for place in PIXELS],
        "logits": logits.flatten().tolist(),
    }


def flat(values: object) -> list[float]:
    if isinstance(values, dict):
        return [number for value in values.values() for number in flat(value)]
    if isinstance(values, list):
        return [number for value in values for number in flat(value)]
    assert isinstance(values, float)
    return [values]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_seeded_networks_still_make_the_stored_pictures_and_logits(architecture: str) -> None:
    stored, now = json.loads(GOLDEN.read_text(encoding="utf-8"))[architecture], measure(architecture)
    assert stored.keys() == now.keys()
    assert flat(now) == pytest.approx(flat(stored), rel=1e-4, abs=1e-4)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    golden = {architecture: measure(architecture) for architecture in ARCHITECTURES}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
