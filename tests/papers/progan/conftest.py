"""Small networks with every parameter away from its initial value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from limner.papers.progan import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

TINY_G = GeneratorConfig(img_resolution=(16, 16), z_dim=6, channel_base=64, channel_max=8)
TINY_D = DiscriminatorConfig(img_resolution=(16, 16), channel_base=64, channel_max=8)


def shake(module: nn.Module) -> None:
    """Move biases off zero, so that a forgotten one shows."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter))


@pytest.fixture
def make_g() -> Callable[..., Generator]:
    def make(*, dtype: torch.dtype = torch.float64, **changes: Any) -> Generator:
        torch.manual_seed(0)
        generator = Generator(dataclasses.replace(TINY_G, **changes))
        shake(generator)
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
