"""What every preset of every room with a generator promises, whatever its paper, on shrunken random networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from limner import registry
from limner.config import RunConfig, from_dict, to_dict
from limner.errors import ConfigError, ShapeError
from limner.papers.base import Batch, Generator, ObjectiveContext, PresetRequest

SMALL = {"channel_max": 8, "channel_base": 64, "z_dim": 16, "w_dim": 16, "mapping_layers": 2}
ROOMS = [room for room in registry.names("papers") if hasattr(registry.get("papers", room), "Generator")]
CASES = [(room, name) for room in ROOMS for name in registry.get("papers", room).PRESETS]
EVERY_PRESET = pytest.mark.parametrize(("room", "name"), CASES, ids=[name for _, name in CASES])
EVERY_ROOM = pytest.mark.parametrize(("room", "name"), [CASES[0]], ids=[CASES[0][0]])


def shrunk(part: Any) -> Any:
    """The same settings for a narrow network."""
    changes = {key: value for key, value in SMALL.items() if hasattr(part, key)}
    return dataclasses.replace(part, **changes)


def settings(room: str, name: str, **request: Any) -> RunConfig:
    wanted = PresetRequest(**{"resolution": (16, 16), "batch": 4, **request})
    config = registry.get("papers", room).PRESETS[name].build(wanted)
    return dataclasses.replace(config, generator=shrunk(config.generator), discriminator=shrunk(config.discriminator))


def generator(room: str, name: str, **request: Any) -> Generator:
    """A generator with random weights everywhere, so that noise and the average w take part."""
    torch.manual_seed(0)
    G: Generator = registry.get("papers", room).Generator(settings(room, name, **request).generator)
    for tensor in [*G.parameters(), G.w_avg]:
        tensor.data += 0.3 * torch.randn_like(tensor)
    return G.eval().requires_grad_(False)


def latents(G: Generator, count: int = 3) -> Tensor:
    return torch.randn(count, G.z_dim, generator=torch.Generator().manual_seed(1))


@EVERY_PRESET
def test_a_preset_names_itself_its_source_and_its_room(room: str, name: str) -> None:
    preset = registry.get("papers", room).PRESETS[name]
    config = preset.build(PresetRequest())
    assert preset.name == name == config.preset
    assert config.room == room
    assert config.data.resolution == preset.native_resolution
    assert preset.summary
    assert preset.source


@EVERY_PRESET
def test_a_preset_survives_a_file(room: str, name: str) -> None:
    module = registry.get("papers", room)
    parts = {
        "generator": module.GeneratorConfig,
        "discriminator": module.DiscriminatorConfig,
        "objective": module.ObjectiveConfig,
    }
    config = module.PRESETS[name].build(PresetRequest())
    assert from_dict(RunConfig, to_dict(config), parts=parts) == config


@EVERY_PRESET
def test_z_becomes_ws_becomes_pictures(room: str, name: str) -> None:
    G = generator(room, name)
    ws = G.mapping(latents(G))
    assert ws.shape == (3, G.num_ws, G.w_dim)
    images = G.synthesis(ws)
    assert images.shape == (3, G.img_channels, *G.img_resolution) == (3, 3, 16, 16)
    assert images.dtype == torch.float32
    assert torch.equal(images, G(latents(G)))
    assert images.std() > 0


@EVERY_PRESET
def test_truncation_to_nothing_gives_everybody_the_same_picture(room: str, name: str) -> None:
    G = generator(room, name)
    ws = G.mapping(latents(G), truncation_psi=0.0)
    assert torch.equal(ws, ws[:1].expand_as(ws))
    assert torch.equal(ws[0, 0], G.w_avg)
    images = G.synthesis(ws)
    assert torch.allclose(images, images[:1].expand_as(images), atol=1e-5)


@EVERY_PRESET
def test_truncation_is_a_straight_line_to_the_average(room: str, name: str) -> None:
    G = generator(room, name)
    full, half = G.mapping(latents(G)), G.mapping(latents(G), truncation_psi=0.5)
    assert torch.allclose(half, (full + G.w_avg) / 2, atol=1e-6)


@EVERY_PRESET
def test_the_cutoff_leaves_later_layers_alone(room: str, name: str) -> None:
    G = generator(room, name)
    full, cut = G.mapping(latents(G)), G.mapping(latents(G), truncation_psi=0.5, truncation_cutoff=1)
    assert torch.equal(cut[:, 1:], full[:, 1:])
    assert not torch.equal(cut[:, 0], full[:, 0])
    assert torch.equal(G.mapping(latents(G), truncation_psi=0.5, truncation_cutoff=0), full)


@EVERY_PRESET
def test_every_layer_of_ws_moves_the_picture(room: str, name: str) -> None:
    G = generator(room, name)
    ws = G.mapping(latents(G, 1))
    before = G.synthesis(ws)
    for layer in range(G.num_ws):
        moved = ws.clone()
        moved[:, layer] += 1
        assert not torch.equal(G.synthesis(moved), before), f"layer {layer} does nothing"


@EVERY_PRESET
def test_noise_is_stored_given_or_absent(room: str, name: str) -> None:
    G = generator(room, name)
    ws = G.mapping(latents(G, 1))
    const, none = G.synthesis(ws), G.synthesis(ws, noise_mode="none")
    assert torch.equal(const, G.synthesis(ws, noise_mode="const"))
    if not G.noise_shapes:
        assert torch.equal(const, none)
        return
    zeros = [torch.zeros(1, 1, *shape) for shape in G.noise_shapes]
    assert not torch.equal(const, none)
    assert torch.allclose(G.synthesis(ws, noises=zeros), none, atol=1e-5)
    assert not torch.equal(G.synthesis(ws, noise_mode="random"), G.synthesis(ws, noise_mode="random"))
    with pytest.raises(ShapeError, match="noise maps"):
        G.synthesis(ws, noises=zeros[1:])
    with pytest.raises(ConfigError, match="noise"):
        G.synthesis(ws, noise_mode="rand")  # type: ignore[arg-type]


@EVERY_PRESET
@pytest.mark.parametrize("resolution", [(16, 24), (24, 16), (12, 24)])
def test_pictures_need_not_be_square(room: str, name: str, resolution: tuple[int, int]) -> None:
    G = generator(room, name, resolution=resolution)
    assert G(latents(G, 1)).shape == (1, 3, *resolution)
    D = registry.get("papers", room).Discriminator(settings(room, name, resolution=resolution).discriminator)
    assert D(torch.zeros(4, 3, *resolution)).shape == (4, 1)


@EVERY_PRESET
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_have_one_to_four_channels(room: str, name: str, channels: int) -> None:
    G = generator(room, name, channels=channels)
    assert G(latents(G, 1)).shape == (1, channels, 16, 16)
    (picture,) = G.sample([0])
    assert picture.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]


@EVERY_PRESET
def test_a_conditional_network_uses_its_labels_and_asks_for_them(room: str, name: str) -> None:
    G = generator(room, name, c_dim=3)
    first, second = torch.eye(3)[[0, 0, 0]], torch.eye(3)[[1, 1, 1]]
    assert not torch.allclose(G.mapping(latents(G), first), G.mapping(latents(G), second))
    with pytest.raises(ShapeError, match="conditional"):
        G.mapping(latents(G))
    with pytest.raises(ShapeError, match="labels c of"):
        G.mapping(latents(G), first[:2])
    D = registry.get("papers", room).Discriminator(settings(room, name, c_dim=3).discriminator)
    images = torch.randn(3, 3, 16, 16)
    assert torch.allclose(D(images, first), D(images, second)) is not D.uses_labels
    with pytest.raises(ShapeError, match="conditional"):
        D(images)


@EVERY_PRESET
def test_wrong_shapes_are_told_what_was_expected(room: str, name: str) -> None:
    G = generator(room, name)
    with pytest.raises(ShapeError, match=rf"z of \[N, {G.z_dim}\], got \[2, {G.z_dim + 1}\]"):
        G.mapping(torch.zeros(2, G.z_dim + 1))
    with pytest.raises(ShapeError, match=rf"ws of \[N, {G.num_ws}, {G.w_dim}\]"):
        G.synthesis(torch.zeros(2, G.num_ws + 1, G.w_dim))
    D = registry.get("papers", room).Discriminator(settings(room, name).discriminator)
    with pytest.raises(ShapeError, match="16, 16"):
        D(torch.zeros(1, 3, 8, 8))


@EVERY_PRESET
def test_a_batch_gives_what_one_by_one_gives(room: str, name: str) -> None:
    G = generator(room, name)
    ws = G.mapping(latents(G))
    together = G.synthesis(ws)
    apart = torch.cat([G.synthesis(code[None]) for code in ws])
    assert torch.allclose(together, apart, atol=1e-4)


class FixedDraws:
    """Random numbers of a test."""

    device = torch.device("cpu")

    def __init__(self, batch: int, c_dim: int) -> None:
        self.batch, self.c_dim = batch, c_dim
        self.rng = torch.Generator().manual_seed(0)

    def randn(self, *shape: int, total: int | None = None) -> Tensor:
        return torch.randn(total or self.batch, *shape, generator=self.rng)

    def rand(self, *shape: int, total: int | None = None) -> Tensor:
        return torch.rand(total or self.batch, *shape, generator=self.rng)

    def scalar(self) -> Tensor:
        return torch.rand((), generator=self.rng)

    def labels(self, total: int | None = None) -> Tensor | None:
        return torch.eye(self.c_dim)[: total or self.batch] if self.c_dim else None

    def reduced_total(self, divisor: int) -> int:
        return self.batch // divisor


@EVERY_PRESET
@pytest.mark.parametrize("c_dim", [0, 4])
def test_every_phase_gives_its_network_a_finite_gradient(room: str, name: str, c_dim: int) -> None:
    config, module = settings(room, name, c_dim=c_dim), registry.get("papers", room)
    torch.manual_seed(0)
    networks = {"G": module.Generator(config.generator), "D": module.Discriminator(config.discriminator)}
    objective = module.Objective(config.objective, networks["G"], networks["D"], ObjectiveContext())
    phases = objective.phases()
    assert len({phase.name for phase in phases}) == len(phases)
    for phase in phases:
        assert phase.interval >= 1
        for key, network in networks.items():
            network.zero_grad()
            network.requires_grad_(key == phase.module)
        draws = FixedDraws(4, c_dim)
        statistics = phase.loss(Batch(torch.randn(4, 3, 16, 16).clamp(-1, 1), draws.labels(), draws))
        assert statistics["loss"].shape == ()
        assert not any(value.requires_grad for key, value in statistics.items() if key != "loss")
        statistics["loss"].backward()
        gradients = [p.grad for p in networks[phase.module].parameters() if p.grad is not None]
        assert gradients, f"{phase.name} moves nothing"
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@EVERY_ROOM
@pytest.mark.parametrize("resolution", [(17, 17), (16, 18), (0, 16)])
def test_a_resolution_no_network_can_be_built_for_is_refused(room: str, name: str, resolution: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"no network can be built|expected >= 1"):
        generator(room, name, resolution=resolution)
