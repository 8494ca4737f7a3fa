"""The projector: its schedule, its noise maps, its codes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from inversion.conftest import LinearGenerator, MeansNetwork, room_generator
from limner.inversion import project


@pytest.mark.parametrize(
    ("share", "lr"),
    [(0.0, 0.0), (0.025, 0.05), (0.05, 0.1), (0.5, 0.1), (0.75, 0.1), (0.875, 0.05), (1.0, 0.0)],
)
def test_the_learning_rate_rises_and_falls_as_the_official_one(share: float, lr: float) -> None:
    assert math.isclose(project.learning_rate(project.Config(), share), lr, abs_tol=1e-12)


def test_the_w_of_a_linear_generator_is_found(linear: LinearGenerator, codes: Tensor) -> None:
    images = linear.synthesis(codes[:, :1].expand(-1, 2, -1))
    found = project.Method(project.Config(steps=300)).invert(linear, images)
    assert found.latents.space == "w"
    assert torch.allclose(found.latents.values, codes[:, 0], atol=2e-2)
    assert torch.equal(found.ws[:, 0], found.ws[:, 1])


def test_noise_maps_are_optimised_and_stay_normal() -> None:
    generator = room_generator("stylegan2")
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    found = project.Method(project.Config(steps=6), perceptual=MeansNetwork()).invert(generator, images)
    assert [tuple(noise.shape[2:]) for noise in found.noises] == list(generator.noise_shapes)
    for noise in found.noises:
        assert torch.allclose(noise.mean((2, 3)), torch.zeros(2, 1).double(), atol=1e-9)
        assert torch.allclose(noise.square().mean((2, 3)), torch.ones(2, 1).double(), atol=1e-9)
    assert not torch.equal(found.noises[-1][0], found.noises[-1][1])
    assert set(found.losses) == {"loss", "pixel", "perceptual", "noise"}


def test_a_generator_without_noise_is_projected_without_it() -> None:
    generator = room_generator("progan")
    images = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    found = project.Method(project.Config(steps=2), perceptual=MeansNetwork()).invert(generator, images)
    assert found.noises == ()
    assert "noise" not in found.losses


def test_the_weights_of_the_noise_change_where_it_goes() -> None:
    generator = room_generator("stylegan2")
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    changes: list[dict[str, float]] = [{}, {"noise_weight": 0.0}, {"w_noise": 0.0}, {"seed": 5}]
    found = [
        project.Method(project.Config(**{"steps": 4, **change}), perceptual=MeansNetwork()).invert(generator, images).ws
        for change in changes
    ]
    assert not any(torch.allclose(found[0], other, rtol=1e-6) for other in found[1:])
