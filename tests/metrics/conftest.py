"""A data set in memory and a generator that needs no training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.papers.base import Generator


class MemoryDataset:
    """Random smooth pictures; remembers which were asked for."""

    name = "memory"

    def __init__(self, count: int, resolution: tuple[int, int], channels: int = 3, c_dim: int = 0) -> None:
        self.resolution, self.channels, self.c_dim = resolution, channels, c_dim
        rng = np.random.RandomState(0)
        coarse = rng.randint(0, 256, (count, channels, -(-resolution[0] // 4), -(-resolution[1] // 4)))
        smooth = coarse.repeat(4, 2).repeat(4, 3)[:, :, : resolution[0], : resolution[1]]
        self.pictures = smooth.astype(np.uint8)
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.pictures)

    def image(self, i: int) -> np.ndarray:
        self.asked.append(i)
        return self.pictures[i]

    def sample_labels(self, draw: Tensor) -> Tensor:
        return torch.nn.functional.one_hot((draw * self.c_dim).long(), self.c_dim).float()


class NoiseGenerator(Generator):
    """Enlarges its latent to a picture and adds its noise map; its label moves the brightness."""

    def __init__(self, resolution: tuple[int, int], channels: int = 3, c_dim: int = 0) -> None:
        super().__init__()
        self.img_resolution, self.img_channels, self.c_dim = resolution, channels, c_dim
        self.z_dim = self.w_dim = 4 * channels
        self.num_ws = 1
        self.register_buffer("w_avg", torch.zeros(self.w_dim))
        self.calls: list[tuple[Tensor, Tensor | None]] = []
        self.modes: list[bool] = []

    @property
    def noise_shapes(self) -> tuple[tuple[int, int], ...]:
        return (self.img_resolution,)

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        self.check_z(z, c)
        self.calls.append((z, c))
        return (z if c is None else z + c.argmax(1, keepdim=True)).unsqueeze(1)

    def synthesis(self, ws, *, noise_mode="const", noises=None):
        self.modes.append(self.training)
        blocks = ws.reshape(-1, self.img_channels, 2, 2)
        images = torch.nn.functional.interpolate(blocks, size=self.img_resolution, mode="bilinear")
        return 0.5 * images + 0.1 * noises[0]


@pytest.fixture
def make_dataset():
    return MemoryDataset


@pytest.fixture
def make_generator():
    return NoiseGenerator
