"""Free optimisation: exact codes of a linear generator, in every space, from every start."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inversion.conftest import LinearEncoder, LinearGenerator
from limner.errors import ConfigError
from limner.inversion import optimise


def test_the_code_of_a_linear_generator_is_found(linear: LinearGenerator, codes: Tensor) -> None:
    found = optimise.Method(optimise.Config(steps=400, lr=0.05)).invert(linear, linear.synthesis(codes))
    assert found.latents.space == "w+"
    assert torch.allclose(found.latents.values, codes, atol=1e-3)
    assert torch.equal(found.latents.values, found.ws)


@pytest.mark.parametrize("space", ["w", "z"])
def test_one_w_and_a_z_are_found(space: str, linear: LinearGenerator, codes: Tensor) -> None:
    z = codes[:, 0]
    images = linear.synthesis(linear.mapping(z))
    found = optimise.Method(optimise.Config(steps=400, lr=0.05, space=space)).invert(linear, images)
    wanted = z if space == "z" else linear.mapping(z)[:, 0]
    assert found.latents.space == space
    assert torch.allclose(found.latents.values, wanted, atol=1e-3)
    assert torch.allclose(found.ws, linear.mapping(z), atol=1e-3)


def test_no_step_evaluates_the_start(linear: LinearGenerator, codes: Tensor) -> None:
    images = linear.synthesis(codes)
    config = optimise.Config(steps=0, start="encoder")
    found = optimise.Method(config, encoder=LinearEncoder(linear)).invert(linear, images)
    assert torch.allclose(found.ws, codes, atol=1e-12)
    assert found.kept_step.tolist() == [0, 0, 0]


def test_random_starts_follow_their_seed(linear: LinearGenerator, codes: Tensor) -> None:
    images = linear.synthesis(codes)
    starts = [
        optimise.Method(optimise.Config(steps=0, start="random", seed=seed)).invert(linear, images).ws
        for seed in (1, 1, 2)
    ]
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    assert torch.allclose(starts[0][0], linear.seed_to_ws(1)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "encoder"}, "start 'encoder' does not work without an encoder"),
        ({"start": "means"}, "got 'means', expected one of mean, random, encoder. Did you mean 'mean'?"),
        ({"space": "w++"}, "got 'w\\+\\+', expected one of z, w, w\\+"),
        ({"lr": 0.0}, "optimise.lr: got 0.0, expected > 0"),
        ({"steps": -1}, "optimise.steps: got -1"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, object], message: str, linear: LinearGenerator) -> None:
    with pytest.raises(ConfigError, match=message):
        optimise.Method(optimise.Config(**settings)).invert(linear, torch.zeros(1, 3, 4, 6, dtype=torch.float64))


def test_an_encoder_gives_no_start_in_z(linear: LinearGenerator) -> None:
    config = optimise.Config(space="z", start="encoder")
    with pytest.raises(ConfigError, match="does not work in z; search w"):
        optimise.Method(config, encoder=LinearEncoder(linear)).invert(linear, torch.zeros(1, 3, 4, 6).double())
