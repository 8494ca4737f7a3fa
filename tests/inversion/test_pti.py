"""Pivotal tuning: the generator comes to the picture, and hardly changes elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from inversion.conftest import LinearGenerator, MeansNetwork
from limner.inversion import pti
from limner.inversion.base import Inversion

PICTURES = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def tune(linear: LinearGenerator, **settings: float) -> Inversion:
    config = pti.Config(**{"pivot_steps": 40, "steps": 60, "lr": 0.01, "stop": 0.0, **settings})
    return pti.Method(config, perceptual=MeansNetwork()).invert(linear, PICTURES)


def mse(found: Inversion) -> Tensor:
    return (found.images - PICTURES).square().mean((1, 2, 3))


def test_tuning_comes_nearer_than_any_code_can(linear: LinearGenerator) -> None:
    basis = linear.weight.detach()
    flat = PICTURES.flatten(1)
    best = (flat - flat @ basis @ basis.T).square().mean(1)
    assert (mse(tune(linear, locality_weight=0.0)) < 0.5 * best).all()


def test_locality_keeps_other_pictures(linear: LinearGenerator) -> None:
    ws = linear.mapping(torch.randn(20, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64))

    def drift(found: Inversion) -> float:
        return (ws.flatten(1) @ found.deltas[0]["weight"].T).square().mean().item()

    assert drift(tune(linear, locality_weight=3.0)) < 0.8 * drift(tune(linear, locality_weight=0.0))


def test_it_stops_at_a_perceptual_distance(linear: LinearGenerator) -> None:
    told: list[int] = []
    config = pti.Config(pivot_steps=2, steps=50, stop=1e9)
    method = pti.Method(config, perceptual=MeansNetwork())
    found = method.invert(linear, PICTURES, on_step=lambda step: told.append(step.number))
    assert told == [0, 1, 2, 2, 2]
    assert found.deltas == ({}, {})


def test_a_delta_names_the_parameters_that_changed(linear: LinearGenerator) -> None:
    assert [set(delta) for delta in tune(linear).deltas] == [{"weight"}, {"weight"}]


def test_codes_near_the_pivot_are_at_the_distance_asked_for(linear: LinearGenerator) -> None:
    ws = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    near = pti.near_pivot(linear, ws, 1.5, torch.Generator().manual_seed(0), None)
    assert torch.allclose((near - ws).norm(dim=2), torch.full((1, 2), 1.5).double())
