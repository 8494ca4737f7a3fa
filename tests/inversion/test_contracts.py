"""What every method promises, on generators of every room."""

from __future__ import annotations

import dataclasses
import pkgutil
from typing import Any

import pytest
import torch

import limner.inversion as inversion_package
from inversion.conftest import LinearEncoder, LinearGenerator, MeansNetwork, room_generator
from limner.inversion import encoder, in_domain, optimise, project, pti
from limner.inversion.base import Method, Step
from limner.papers.base import Generator

SETTINGS: dict[str, Any] = {
    "encoder": encoder.Config(),
    "optimise": optimise.Config(steps=4, lr=0.1),
    "in_domain": in_domain.Config(steps=4, lr=0.1),
    "project": project.Config(steps=4, pixel_weight=0.7),
    "pti": pti.Config(pivot_steps=3, steps=3, lr=1e-3, stop=0.0),
}
MODULES = {"encoder": encoder, "optimise": optimise, "in_domain": in_domain, "project": project, "pti": pti}
EVERY_METHOD = pytest.mark.parametrize("name", SETTINGS)
WITHOUT_ENCODER = ["optimise", "project", "pti"]
ROOMS = [("stylegan2", (32, 32)), ("stylegan", (32, 16)), ("progan", (64, 64)), ("stylegan2", (128, 128))]


def test_every_method_is_held_to_its_promises_here() -> None:
    assert {module.name for module in pkgutil.iter_modules(inversion_package.__path__)} - {"base", "engine"} == set(
        SETTINGS
    )


def method(name: str, linear: LinearGenerator, **changes: Any) -> Method:
    config = dataclasses.replace(SETTINGS[name], **changes)
    built: Method = MODULES[name].Method(config, encoder=LinearEncoder(linear, gain=0.8), perceptual=MeansNetwork())
    return built


def pictures(generator: Generator, count: int = 3) -> torch.Tensor:
    shape = (count, generator.img_channels, *generator.img_resolution)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


@EVERY_METHOD
def test_a_batch_gives_what_one_by_one_gives(name: str, linear: LinearGenerator) -> None:
    images = pictures(linear)
    together = method(name, linear).invert(linear, images)
    for place in range(3):
        alone = method(name, linear).invert(linear, images[place : place + 1])
        assert torch.allclose(alone.ws[0], together.ws[place], rtol=1e-9, atol=1e-9)
        assert torch.allclose(alone.images[0], together.images[place], rtol=1e-9, atol=1e-9)
        assert torch.allclose(alone.losses["loss"][0], together.losses["loss"][place], rtol=1e-9)
        assert alone.kept_step[0] == together.kept_step[place]


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
@pytest.mark.parametrize(("room", "resolution"), ROOMS)
def test_in_a_room_pictures_are_found_alone_as_together_and_made_again(
    name: str, room: str, resolution: tuple[int, int]
) -> None:
    generator = room_generator(room, resolution)
    images = pictures(generator, 2)
    build = MODULES[name].Method(SETTINGS[name], perceptual=MeansNetwork())
    together, alone = build.invert(generator, images), build.invert(generator, images[1:])
    assert torch.allclose(alone.ws[0], together.ws[1], rtol=1e-6, atol=1e-7)
    assert torch.allclose(alone.images[0], together.images[1], rtol=1e-6, atol=1e-7)
    for key, delta in (together.deltas[1] if together.deltas else {}).items():
        generator.get_parameter(key).data += delta
    made = generator.synthesis(together.ws[1:], noises=[noise[1:] for noise in together.noises] or None)
    assert torch.allclose(made[0], together.images[1], atol=1e-9)


@EVERY_METHOD
def test_code_and_picture_are_of_the_same_step(name: str, linear: LinearGenerator) -> None:
    found = method(name, linear).invert(linear, pictures(linear))
    for place in range(3):
        generator = LinearGenerator()
        for key, delta in (found.deltas[place] if found.deltas else {}).items():
            generator.get_parameter(key).data += delta
        assert torch.allclose(generator.synthesis(found.ws[place : place + 1])[0], found.images[place], atol=1e-12)


@EVERY_METHOD
def test_what_is_kept_is_the_least_loss_that_was_told(name: str, linear: LinearGenerator) -> None:
    told: dict[int, dict[int, float]] = {0: {}, 1: {}, 2: {}}

    def on_step(step: Step) -> None:
        for place, loss in enumerate(step.losses["loss"].tolist(), step.first):
            told[place][step.number] = loss
        assert step.number <= step.total

    found = method(name, linear).invert(linear, pictures(linear), on_step=on_step)
    for place in range(3):
        kept = int(found.kept_step[place])
        later = {n: loss for n, loss in told[place].items() if name != "pti" or n >= 3}
        assert found.losses["loss"][place].item() == later[kept] == min(later.values())


@EVERY_METHOD
def test_outside_its_mask_a_picture_has_no_influence(name: str, linear: LinearGenerator) -> None:
    images = pictures(linear)
    masks = torch.zeros(1, 1, *linear.img_resolution, dtype=torch.float64)
    masks[..., 1:3, 2:4] = 1.0
    masks[..., 0, 0] = 0.5
    other = torch.where(masks > 0, images, 100 * torch.rand_like(images))
    first, second = (method(name, linear).invert(linear, x, masks=masks) for x in (images, other))
    assert torch.equal(first.ws, second.ws)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.losses["loss"], second.losses["loss"])
    assert not torch.equal(first.ws, method(name, linear).invert(linear, images).ws) or name == "encoder"


@EVERY_METHOD
def test_a_mask_of_ones_changes_nothing(name: str, linear: LinearGenerator) -> None:
    images = pictures(linear)
    masks = torch.ones(3, 1, *linear.img_resolution, dtype=torch.float64)
    first, second = (method(name, linear).invert(linear, images, masks=m) for m in (None, masks))
    assert torch.allclose(first.ws, second.ws, atol=1e-12)


WEIGHTS = [
    ("optimise", "pixel_weight"),
    ("optimise", "perceptual_weight"),
    ("in_domain", "pixel_weight"),
    ("in_domain", "perceptual_weight"),
    ("in_domain", "domain_weight"),
    ("project", "pixel_weight"),
    ("project", "perceptual_weight"),
    ("pti", "pixel_weight"),
    ("pti", "perceptual_weight"),
    ("pti", "locality_weight"),
]


@pytest.mark.parametrize(("name", "weight"), WEIGHTS)
def test_every_weight_changes_where_it_goes(name: str, weight: str, linear: LinearGenerator) -> None:
    images = pictures(linear, 1)
    results = []
    for value in (0.5, 3.0):
        found = method(name, linear, **{weight: value}).invert(linear, images)
        results.append(found.deltas[0]["weight"] if found.deltas else found.ws)
    assert not torch.allclose(*results, rtol=1e-6, atol=1e-9)


@EVERY_METHOD
def test_the_networks_are_left_as_they_were(name: str, linear: LinearGenerator) -> None:
    before = {key: value.clone() for key, value in linear.state_dict().items()}
    linear.train()
    linear.weight.requires_grad_(True)
    method(name, linear).invert(linear, pictures(linear))
    assert linear.training
    assert linear.weight.requires_grad
    assert linear.weight.grad is None
    assert all(torch.equal(value, before[key]) for key, value in linear.state_dict().items())


@EVERY_METHOD
def test_it_repeats_bit_for_bit(name: str, linear: LinearGenerator) -> None:
    images = pictures(linear)
    first, second = (method(name, linear).invert(linear, images) for _ in range(2))
    assert torch.equal(first.ws, second.ws)
    assert torch.equal(first.images, second.images)
