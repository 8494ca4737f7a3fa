"""Statistics of tiny seeded networks, stored once: a change of arithmetic, initialisation or layout shows here.

`python tests/papers/stylegan/test_golden.py` writes them anew; do that only for an intended change, and say which.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.papers.stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

GOLDEN = Path(__file__).parents[2] / "golden" / "stylegan.json"
PIXELS = ((0, 0, 0, 0), (0, 1, 7, 12), (1, 2, 23, 15), (1, 0, 11, 3))
SHAPE: dict[str, Any] = {"img_resolution": (24, 16), "c_dim": 3, "channel_base": 128, "channel_max": 16}
KINDS: dict[str, dict[str, Any]] = {
    "stylegan": {},
    "traditional": {
        "use_styles": False,
        "const_input": False,
        "use_noise": False,
        "pixel_norm": True,
        "instance_norm": False,
        "mapping_layers": 0,
        "w_dim": 16,
    },
}


def summary(values: Tensor) -> dict[str, float]:
    return {"mean": values.mean().item(), "std": values.std().item(), "absmax": values.abs().max().item()}


def measure(kind: str, lod: float) -> dict[str, object]:
    """A generator and a discriminator of 24 x 16 pixels and three classes, seeded, on latents of seeds 0 and 1."""
    torch.manual_seed(0)
    options = {"z_dim": 8, "w_dim": 12, "mapping_layers": 2, **SHAPE, **KINDS[kind]}
    generator = Generator(GeneratorConfig(**options)).eval()
    discriminator = Discriminator(DiscriminatorConfig(**SHAPE)).eval()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
        z = torch.from_numpy(np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in (0, 1)])).float()
        c = torch.eye(3)[[2, 0]]
        ws = generator.mapping(z, c)
        images = generator.synthesis(ws, lod=lod)
        step = 2 ** int(lod)
        logits = discriminator(images[:, :, ::step, ::step], c, lod=lod)
    return {
        "ws": summary(ws),
        "images": summary(images),
        "pixels": [images[place].item() for place in PIXELS],
        "logits": logits.flatten().tolist(),
    }


CASES = [(kind, lod) for kind in KINDS for lod in (0.0, 1.25)]


def flat(values: object) -> list[float]:
    if isinstance(values, dict):
        return [number for value in values.values() for number in flat(value)]
    if isinstance(values, list):
        return [number for value in values for number in flat(value)]
    assert isinstance(values, float)
    return [values]


@pytest.mark.parametrize(("kind", "lod"), CASES)
def test_seeded_networks_still_make_the_stored_pictures_and_logits(kind: str, lod: float) -> None:
    stored, now = json.loads(GOLDEN.read_text(encoding="utf-8"))[f"{kind}, lod {lod:g}"], measure(kind, lod)
    assert stored.keys() == now.keys()
    assert flat(now) == pytest.approx(flat(stored), rel=1e-4, abs=1e-4)


if __name__ == "__main__":
    golden = {f"{kind}, lod {lod:g}": measure(kind, lod) for kind, lod in CASES}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
