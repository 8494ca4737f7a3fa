"""A generator and an encoder that are matrices, a perceptual network of one layer, and tiny generators of the rooms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from limner import registry
from limner.features.base import PerceptualNetwork
from limner.papers.base import Encoder, Generator, PresetRequest

SMALL = {"channel_max": 8, "channel_base": 64, "z_dim": 16, "w_dim": 48, "mapping_layers": 2, "use_noise": True}


class LinearGenerator(Generator):
    """Pictures are an orthonormal matrix times all ws in one vector; z is mapped by a matrix, too."""

    def __init__(
        self, resolution: tuple[int, int] = (4, 6), channels: int = 3, num_ws: int = 2, w_dim: int = 6
    ) -> None:
        super().__init__()
        self.img_resolution, self.img_channels, self.c_dim = resolution, channels, 0
        self.z_dim = self.w_dim = w_dim
        self.num_ws = num_ws
        stream = torch.Generator().manual_seed(3)
        size = channels * resolution[0] * resolution[1]
        basis, _ = torch.linalg.qr(torch.randn(size, num_ws * w_dim, generator=stream, dtype=torch.float64))
        self.weight = torch.nn.Parameter(basis)
        self.register_buffer("turn", torch.linalg.qr(torch.randn(w_dim, w_dim, generator=stream).double())[0])
        self.register_buffer("w_avg", torch.zeros(w_dim, dtype=torch.float64))

    @property
    def noise_shapes(self) -> tuple[tuple[int, int], ...]:
        return ()

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        self.check_z(z, c)
        return (z.to(self.turn) @ self.turn)[:, None].expand(-1, self.num_ws, -1)

    def synthesis(
        self,
        ws: Tensor,
        *,
        noise_mode: str = "const",
        noises: Sequence[Tensor] | None = None,
        lod: float | None = None,
    ) -> Tensor:
        self.check_ws(ws)
        return (ws.flatten(1) @ self.weight.T).view(-1, self.img_channels, *self.img_resolution)


class LinearEncoder(Encoder):
    """The inverse of a `LinearGenerator`, times `gain`."""

    def __init__(self, generator: LinearGenerator, gain: float = 1.0) -> None:
        super().__init__()
        self.space = "w+"
        for name in ("z_dim", "w_dim", "num_ws", "img_resolution", "img_channels"):
            setattr(self, name, getattr(generator, name))
        self.weight = torch.nn.Parameter(gain * generator.weight.detach().T)

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1) @ self.weight.T).view(-1, self.num_ws, self.w_dim)

    def start_from(self, G: Generator) -> None:
        raise NotImplementedError


class MeansNetwork(PerceptualNetwork):
    """Compares means over 2 x 2 pixels, with a weight a channel."""

    name, sha256 = "means", "none"

    def extract(self, images: Tensor) -> list[Tensor]:
        cells = torch.nn.functional.avg_pool2d(images, 2) / images[0, 0].numel() ** 0.5
        return [cells * torch.tensor([1.0, 2.0, 3.0]).to(images)[:, None, None]]


def room_generator(room: str, resolution: tuple[int, int] = (16, 16), **request: Any) -> Generator:
    """A tiny generator of a room, in float64, with random weights everywhere."""
    presets = {"progan": "progan-tiny", "stylegan": "stylegan-tiny", "stylegan2": "stylegan2-tiny"}
    module = registry.get("papers", room)
    config = module.PRESETS[presets[room]].build(PresetRequest(resolution=resolution, batch=4, **request))
    changes = {key: value for key, value in SMALL.items() if hasattr(config.generator, key)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        G: Generator = module.Generator(dataclasses.replace(config.generator, **changes))
        for tensor in [*G.parameters(), G.w_avg]:
            tensor.data += 0.1 * torch.randn_like(tensor)
    return G.double().eval().requires_grad_(False)


@pytest.fixture
def linear() -> LinearGenerator:
    return LinearGenerator()


@pytest.fixture
def perceptual() -> MeansNetwork:
    return MeansNetwork()


@pytest.fixture
def codes(linear: LinearGenerator) -> Tensor:
    """Three codes that are not equal in their layers."""
    shape = (3, linear.num_ws, linear.w_dim)
    return torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
