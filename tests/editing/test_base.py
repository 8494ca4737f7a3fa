"""Directions: moving codes, files, and refusing another generator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from inversion.conftest import LinearGenerator
from limner.editing.base import Direction, along, unit
from limner.errors import CheckpointError, ConfigError, ShapeError
from limner.latents import Latents

WS = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0))


def direction(space: Any = "w", **changes: Any) -> Direction:
    shapes = {"z": (6,), "w": (6,), "w+": (2, 6), "s": (9,)}
    vector = unit(torch.randn(shapes[space], generator=torch.Generator().manual_seed(1)))
    settings = {"name": "smile", "space": space, "vector": vector, "deviation": 2.0, "fingerprint": "abc", **changes}
    return Direction(**settings)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_strength_of_one_goes_one_deviation_far(space: str) -> None:
    way = direction(space)
    moved = way.apply(WS, 1.0)
    assert torch.allclose(along(moved, way.vector) - along(WS, way.vector), torch.full((3,), 2.0), atol=1e-6)
    assert torch.allclose(way.apply(moved, -1.0), WS, atol=1e-6)


def test_a_z_moves_as_one_vector_and_each_code_by_its_own_strength() -> None:
    way = direction("z")
    z, strengths = WS[:, 0], torch.tensor([0.0, 1.0, -2.0])
    assert torch.allclose(along(way.apply(z, strengths) - z, way.vector), 2.0 * strengths, atol=1e-6)


def test_only_the_layers_asked_for_move() -> None:
    own = direction(layers=(1,))
    assert torch.equal(own.apply(WS, 1.0)[:, 0], WS[:, 0])
    assert not torch.equal(own.apply(WS, 1.0)[:, 1], WS[:, 1])
    assert torch.equal(own.apply(WS, 1.0, [0])[:, 1], WS[:, 1])
    assert torch.equal(own.apply(WS, 1.0, []), WS)


@pytest.mark.parametrize(
    ("way", "codes", "layers", "error", "message"),
    [
        (direction("z"), WS, None, ShapeError, "in z expects codes with vectors of 6, got"),
        (direction("w"), WS[..., :4], None, ShapeError, "in w expects codes with vectors of 6"),
        (direction("z"), WS[:, 0], [0], ConfigError, "is in z, which has no layers"),
        (direction("w"), WS, [2], ConfigError, r"layers: got \[2\], expected 0 to 1"),
        (direction("s"), WS, None, ConfigError, "moves styles, not codes"),
    ],
)
def test_what_does_not_fit_is_refused(
    way: Direction, codes: torch.Tensor, layers: list[int] | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        way.apply(codes, 1.0, layers)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_a_file_gives_back_everything(space: str, tmp_path: Path) -> None:
    saved = direction(space, layers=(0, 1), source="svm", numbers={"heldout_accuracy": 0.9})
    saved.save(tmp_path / "smile.safetensors")
    loaded = Direction.load(tmp_path / "smile")
    assert torch.equal(loaded.vector, saved.vector)
    pairs = (dataclasses.replace(d, vector=torch.zeros_like(d.vector)) for d in (loaded, saved))
    assert len({repr(d) for d in pairs}) == 1


def test_another_generator_is_refused(linear: LinearGenerator) -> None:
    direction().check(linear, "abc")
    with pytest.raises(CheckpointError, match="'smile' belongs to generator abc, expected def"):
        direction().check(linear, "def")
    with pytest.raises(CheckpointError, match="belongs to generator unknown"):
        direction(fingerprint="").check(linear, "abc")
    with pytest.raises(CheckpointError, match="find it again"):
        direction().check(LinearGenerator(w_dim=4), "abc")


def test_missing_damaged_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist, expected a direction"):
        Direction.load(tmp_path / "nothing")
    (tmp_path / "broken.safetensors").write_bytes(b"not a file")
    with pytest.raises(CheckpointError, match="damaged or no direction"):
        Direction.load(tmp_path / "broken")
    Latents("w", torch.zeros(1, 4)).save(tmp_path / "codes.safetensors")
    with pytest.raises(CheckpointError, match="holds 'latents' of format 1, expected a direction"):
        Direction.load(tmp_path / "codes.safetensors")
    safetensors.torch.save_file(
        {"vector": torch.zeros(4)}, tmp_path / "new.safetensors", {"name": "direction", "format": "9"}
    )
    with pytest.raises(CheckpointError, match="of format 9, expected a direction of format 1"):
        Direction.load(tmp_path / "new.safetensors")


def test_vectors_have_the_shape_of_their_space() -> None:
    with pytest.raises(ShapeError, match=r"got space 'w\+' with a vector of \[6\]"):
        Direction(name="a", space="w+", vector=torch.zeros(6), deviation=1.0)


def test_the_norm_of_layers_is_that_of_the_vector_they_repeat() -> None:
    vector = torch.randn(6, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(unit(vector.repeat(3, 1))[0], unit(vector))
    assert torch.isclose(unit(vector).norm(), torch.tensor(1.0))
    with pytest.raises(ConfigError, match="a vector of zeros"):
        unit(torch.zeros(3))
