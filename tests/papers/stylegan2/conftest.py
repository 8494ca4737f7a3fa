"""Small networks with every parameter away from its initial zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from limner.papers.stylegan2 import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

TINY_G = GeneratorConfig(img_resolution=(16, 16), z_dim=6, w_dim=5, mapping_layers=2, channel_base=64, channel_max=8)
TINY_D = DiscriminatorConfig(img_resolution=(16, 16), mapping_layers=2, channel_base=64, channel_max=8)


def shake(module: nn.Module) -> None:
    """Move biases and noise strengths off zero, so that a forgotten one shows."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(("bias", "noise_strength")):
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


class SeededDraws:
    """Random numbers of one phase for a whole batch, of which a share is handed out; keeps what it drew."""

    device = torch.device("cpu")

    def __init__(
        self, batch: int, *, seed: int = 0, rank: int = 0, world: int = 1, labels: Tensor | None = None
    ) -> None:
        self.batch, self.rank, self.world, self.label_table = batch, rank, world, labels
        self.rng = torch.Generator().manual_seed(seed)
        self.normal: list[Tensor] = []

    def randn(self, *shape: int, total: int | None = None) -> Tensor:
        drawn = torch.randn(total or self.batch, *shape, generator=self.rng, dtype=torch.float64)
        self.normal.append(drawn[self.rank :: self.world])
        return self.normal[-1]

    def rand(self, *shape: int, total: int | None = None) -> Tensor:
        drawn = torch.rand(total or self.batch, *shape, generator=self.rng, dtype=torch.float64)
        return drawn[self.rank :: self.world]

    def scalar(self) -> Tensor:
        return torch.rand((), generator=self.rng)

    def labels(self, total: int | None = None) -> Tensor | None:
        if self.label_table is None:
            return None
        return self.label_table[(self.rand(total=total) * len(self.label_table)).long()]

    def reduced_total(self, divisor: int) -> int:
        return max(self.batch // self.world // divisor, 1) * self.world
