"""Small networks with every parameter away from its initial value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from limner.papers.stylegan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

TINY_G = GeneratorConfig(img_resolution=(16, 16), z_dim=6, w_dim=5, mapping_layers=2, channel_base=64, channel_max=8)
TINY_D = DiscriminatorConfig(img_resolution=(16, 16), channel_base=64, channel_max=8)
ROWS: dict[str, dict[str, Any]] = {
    "B": {
        "use_styles": False,
        "const_input": False,
        "use_noise": False,
        "pixel_norm": True,
        "instance_norm": False,
        "mapping_layers": 0,
        "w_dim": 6,
    },
    "C": {"const_input": False, "use_noise": False},
    "D": {"use_noise": False},
    "E": {},
    "sharp, both norms": {"blur": False, "pixel_norm": True},
    "styles alone": {"instance_norm": False},
}
"""Kinds of generators: the rows of Table 1 and what no row has."""


def shake(module: nn.Module) -> None:
    """Move what starts from a constant, so that a forgotten part shows."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(("bias", "noise_strength", "const")):
                parameter.add_(torch.randn_like(parameter))


@pytest.fixture
def make_g() -> Callable[..., Generator]:
    def make(*, dtype: torch.dtype = torch.float64, **changes: Any) -> Generator:
        torch.manual_seed(0)
        generator = Generator(dataclasses.replace(TINY_G, **changes))
        shake(generator)
        nn.init.normal_(generator.w_avg)
        return generator.to(dtype)

    return make


@pytest.fixture
def make_d() -> Callable[..., Discriminator]:
    def make(*, dtype: torch.dtype = torch.float64, **changes: Any) -> Discriminator:
        torch.manual_seed(1)
        discriminator = Discriminator(dataclasses.replace(TINY_D, **changes))
        shake(discriminator)
        return discriminator.to(dtype)

    return make
