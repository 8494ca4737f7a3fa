"""Small encoders, generators of every room, and perceptual networks with random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from limner import registry
from limner.features import lite0, stlpips
from limner.papers import base
from limner.papers.base import PresetRequest
from limner.papers.idinvert import Encoder, EncoderConfig

SMALL = {"channel_max": 8, "channel_base": 64, "z_dim": 6, "w_dim": 5, "mapping_layers": 2, "use_noise": True}
NETWORKS = {"progan": "progan-tiny", "stylegan": "stylegan-tiny", "stylegan2": "stylegan2-tiny"}
"""Room with a generator -> a preset of it."""
MakeEncoder = Callable[..., Encoder]


def shake(module: nn.Module) -> None:
    """Move every parameter away from its initial value, so that a forgotten part shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))


@pytest.fixture
def make_encoder() -> MakeEncoder:
    """Return a function that makes a small encoder in double precision, shaken unless told otherwise."""

    def make(*, shaken: bool = True, **changes: Any) -> Encoder:
        torch.manual_seed(0)
        small = {"img_resolution": (16, 16), "z_dim": 6, "w_dim": 5, "num_ws": 6, "channels": 4, "channel_max": 8}
        E = Encoder(EncoderConfig(**{**small, "norm": "group", "code_norm": False, "group_size": 2, **changes}))
        if shaken:
            shake(E)
        return E.double()

    return make


def networks(room: str, c_dim: int = 0) -> tuple[base.Generator, base.Discriminator]:
    """A generator and a discriminator of a room for 16 x 16 pixels, in double precision, frozen."""
    module = registry.get("papers", room)
    config = module.PRESETS[NETWORKS[room]].build(PresetRequest(resolution=(16, 16), batch=4, c_dim=c_dim))
    parts = []
    for part in (config.generator, config.discriminator):
        parts.append(dataclasses.replace(part, **{key: value for key, value in SMALL.items() if hasattr(part, key)}))
    torch.manual_seed(1)
    G, D = module.Generator(parts[0]).double().eval(), module.Discriminator(parts[1]).double()
    shake(G)
    shake(D)
    G.w_avg += 0.3
    return G.requires_grad_(False), D.requires_grad_(False)


@pytest.fixture(scope="session")
def _random_networks() -> dict[str, nn.Module]:
    return {"stlpips": stlpips.random(0), "lite0": lite0.random(0)}


@pytest.fixture
def random_features(_random_networks: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the perceptual networks have random weights, so that no weight file is needed."""
    for name, module in (("stlpips", stlpips), ("lite0", lite0)):
        monkeypatch.setattr(module, "load", lambda name=name, **_: _random_networks[name])
