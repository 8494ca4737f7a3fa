"""A data set in memory, a generator that needs no training, and networks that need no weights."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.features.base import RANDOM, FeatureNetwork, PerceptualNetwork
from limner.metrics.engine.networks import Networks
from limner.papers.base import Generator


class MemoryDataset:
    """Random smooth pictures; remembers which were asked for."""

    name, note = "memory", ""

    def __init__(self, count: int, resolution: tuple[int, int], channels: int = 3, c_dim: int = 0) -> None:
        self.resolution, self.channels, self.c_dim = resolution, channels, c_dim
        rng = np.random.RandomState(0)
        coarse = rng.randint(0, 256, (count, channels, -(-resolution[0] // 4), -(-resolution[1] // 4)))
        smooth = coarse.repeat(4, 2).repeat(4, 3)[:, :, : resolution[0], : resolution[1]]
        self.pictures = smooth.astype(np.uint8)
        self.asked: list[int] = []
        self.source = SimpleNamespace(names=tuple(f"{i}.png" for i in range(count)))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.pictures.tobytes()).hexdigest()[:32]

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


class TinyFeatures(FeatureNetwork):
    """Means over a 2x2 grid of each channel, through a fixed random layer; counts what it has seen."""

    name, sha256, resize = "tiny", RANDOM, "none"
    dims = {"pool": 6, "fc": 6, "logits_unbiased": 5, "spatial": 4}  # noqa: RUF012 - as the protocol has it

    def __init__(self) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(1)
        self.weights = {name: torch.randn(12, dim, generator=stream) for name, dim in self.dims.items()}
        self.seen = 0

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        self.seen += len(images)
        cells = torch.nn.functional.adaptive_avg_pool2d(images.double() / 64, 2).flatten(1)  # [N, 12]
        return {name: (cells @ weight.double()).relu().float() for name, weight in self.weights.items()}


class SquaredDistance(PerceptualNetwork):
    """The mean squared difference of pixels."""

    name, sha256 = "squared", RANDOM

    def extract(self, images: Tensor) -> list[Tensor]:
        return [images / images[0].numel() ** 0.5]


@pytest.fixture
def networks() -> Networks:
    """Tiny networks under all names; one feature network stands for all."""
    features, distance = TinyFeatures(), SquaredDistance()
    return Networks(
        loaded=dict.fromkeys(("inception", "vgg", "lite0"), features) | {"lpips": distance, "stlpips": distance}
    )


@pytest.fixture
def make_dataset():
    return MemoryDataset


@pytest.fixture
def make_generator():
    return NoiseGenerator
