"""Editing codes from seeds, files and folders, in every space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import tiny_config, write_pictures, write_run
from limner.api import load
from limner.api.directions import discover
from limner.api.editing import edit, open_codes, parse_strengths
from limner.api.inverting import InvertRequest, invert, open_generator
from limner.editing.base import Direction, unit
from limner.errors import CheckpointError, ConfigError
from limner.latents import Latents


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def directions(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A direction in every space."""
    folder = tmp_path_factory.mktemp("directions")
    discover(tiny_run, folder, "pca", count=3, device="cpu")
    generator, identity = open_generator(tiny_run, "cpu")
    stream = torch.Generator().manual_seed(0)
    shapes: dict[Any, tuple[int, ...]] = {"z": (generator.z_dim,), "w+": (generator.num_ws, generator.w_dim)}
    for space, shape in shapes.items():
        vector = unit(torch.randn(shape, generator=stream))
        Direction(name=space, space=space, vector=vector, deviation=1.0, fingerprint=identity).save(
            folder / f"{space}.safetensors"
        )
    total = sum(layer.num_channels for layer in _style_layers(generator))
    one = torch.zeros(total)
    one[1] = 1.0
    Direction(name="s", space="s", vector=one, deviation=3.0, fingerprint=identity).save(folder / "s.safetensors")
    return folder


def _style_layers(generator: Any) -> Any:
    from limner.editing.engine.styles import style_layers

    return style_layers(generator)


@pytest.mark.parametrize(
    ("text", "strengths"),
    [("-3:3:7", [-3, -2, -1, 0, 1, 2, 3]), ("-1,0.5", [-1, 0.5]), ("2", [2]), ("0:1:1", [0])],
)
def test_strengths_are_ranges_or_numbers(text: str, strengths: list[float]) -> None:
    assert parse_strengths(text) == strengths


@pytest.mark.parametrize("text", ["", "a", "1:2", "1:2:0", "1:2:x", "nan"])
def test_other_strengths_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected from:to:count such as"):
        parse_strengths(text)


@pytest.mark.parametrize("name", ["pca-0", "z", "w+", "s"])
def test_every_space_moves_pictures_and_strength_zero_does_not(
    name: str, tiny_run: Path, directions: Path, tmp_path: Path
) -> None:
    made = edit(
        tiny_run, "1,5", tmp_path, direction=directions / name, strength="-4,0,4", device="cpu", command="limner edit"
    )
    names = {f"seed000{seed}_{value}.png" for seed in (1, 5) for value in ("-4", "0", "+4")}
    assert {path.name for path in tmp_path.iterdir()} == names | {"edit.png", "command.txt"}
    source = np.asarray(load(tiny_run, "cpu").sample([5])[0]).astype(int)
    assert np.abs(pixels(tmp_path / "seed0005_0.png") - source).max() <= 1
    assert not np.array_equal(pixels(tmp_path / "seed0005_+4.png"), source)
    assert not np.array_equal(pixels(tmp_path / "seed0005_+4.png"), pixels(tmp_path / "seed0005_-4.png"))
    assert made.strengths == [-4, 0, 4]


def test_a_sheet_alone_has_sources_and_the_average_on_its_edges(
    tiny_run: Path, directions: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    made = edit(
        tiny_run,
        "1-2",
        tmp_path / "sheet.png",
        direction=directions / "pca-1.safetensors",
        strength=[-1.0, 1.0],
        layers="0-1",
        device="cpu",
        progress=lambda *c: told.append(c),
    )
    assert made.paths == [tmp_path / "sheet.png"] == list(tmp_path.iterdir())
    assert told[-1] == (6, 6)


def test_conditions_change_the_direction(tiny_run: Path, directions: Path, tmp_path: Path) -> None:
    given = [directions / "pca-1"]
    made = edit(tiny_run, "1", tmp_path / "a.png", direction=directions / "w+", given=given, device="cpu")
    other = Direction.load(given[0])
    assert (made.direction.vector * other.vector).sum(-1).abs().max() < 1e-6
    assert made.direction.name == "w+ given pca-1"


@pytest.mark.parametrize("method", ["optimise", "pti"])
def test_inverted_pictures_are_edited_with_their_noise_and_weights(
    method: str, tiny_run: Path, directions: Path, tmp_path: Path
) -> None:
    photos = write_pictures(tmp_path / "photos", 1)
    settings = {"steps": 3} | ({"pivot_steps": 2, "stop": 0.0} if method == "pti" else {})
    request = InvertRequest(method=method, settings=settings, perceptual="none")
    invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu")
    edit(
        tiny_run, tmp_path / "inverted", tmp_path / "out", direction=directions / "pca-0", strength="0,2", device="cpu"
    )
    again, moved = (pixels(tmp_path / "out" / f"000_{value}.png") for value in ("0", "+2"))
    assert np.abs(again - pixels(tmp_path / "inverted" / "reconstructions" / "000.png")).max() <= 1
    assert not np.array_equal(again, moved)


def test_files_of_latents_are_codes(tiny_run: Path, tmp_path: Path) -> None:
    generator, identity = open_generator(tiny_run, "cpu")
    z = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(0))
    ws = generator.mapping(z)
    for space, values in (("z", z), ("w", ws[:, 0]), ("w+", ws)):
        path = Latents(space, values.contiguous()).save(tmp_path / f"{space}.safetensors")
        subjects = open_codes(path, generator, identity, None)
        assert [subject.name for subject in subjects] == [f"{space}-0", f"{space}-1"]
        assert torch.allclose(torch.cat([subject.ws for subject in subjects]), ws, atol=1e-6)
        assert (subjects[0].z is not None) == (space == "z")
    np.savez(tmp_path / "projected.npz", w=ws[:1].numpy())
    assert torch.allclose(open_codes(tmp_path / "projected.npz", generator, identity, None)[0].ws, ws[:1], atol=1e-6)


def test_what_belongs_to_another_generator_is_refused(tiny_run: Path, directions: Path, tmp_path: Path) -> None:
    from limner.config import with_changes

    other = write_run(tmp_path / "other", with_changes(tiny_config("faces.zip"), {"generator.mapping_layers": 1}))
    with pytest.raises(CheckpointError, match="direction 'pca-0' belongs to generator"):
        edit(other, "1", tmp_path / "a.png", direction=directions / "pca-0", device="cpu")
    Latents("w", torch.zeros(1, 7)).save(tmp_path / "codes.safetensors")
    with pytest.raises(CheckpointError, match=r"holds codes of \[7\] in w, this generator's are \[16\]"):
        edit(tiny_run, tmp_path / "codes.safetensors", tmp_path / "a.png", direction=directions / "pca-0", device="cpu")


def test_what_does_not_go_together_is_refused(tiny_run: Path, directions: Path, tmp_path: Path) -> None:
    Latents("w", torch.zeros(1, load(tiny_run, "cpu").w_dim)).save(tmp_path / "codes.safetensors")
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"direction": "z", "codes": tmp_path / "codes.safetensors"}, ConfigError, "is known in w alone"),
        ({"direction": "z", "layers": "0"}, ConfigError, "is in z, which has no layers"),
        ({"direction": "s", "layers": "0"}, ConfigError, "moves one style channel"),
        ({"direction": "pca-0", "layers": "99"}, ConfigError, "layers: got 99"),
        ({"direction": "pca-0", "given": [directions / "z"]}, ConfigError, "expected one space"),
        ({"direction": "nothing"}, CheckpointError, "does not exist, expected a direction"),
        ({"direction": "pca-0", "codes": "faces"}, CheckpointError, "codes: got 'faces', expected a folder"),
    ]
    for case, error, message in cases:
        settings = {"codes": "1", **case, "direction": directions / case["direction"]}
        with pytest.raises(error, match=message):
            edit(tiny_run, settings.pop("codes"), tmp_path / "a.png", device="cpu", **settings)
    assert not (tmp_path / "a.png").exists()


def test_a_conditional_generator_edits_seeds_of_a_class(conditional_run: Path, tmp_path: Path) -> None:
    discover(conditional_run, tmp_path, "sefa", count=1, label=2, device="cpu")
    edit(conditional_run, "1", tmp_path / "a.png", direction=tmp_path / "sefa-0", label=2, device="cpu")
    with pytest.raises(ConfigError, match="this generator is conditional"):
        edit(conditional_run, "1", tmp_path / "b.png", direction=tmp_path / "sefa-0", device="cpu")
