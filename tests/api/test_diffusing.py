"""Semantic diffusion of picture files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import write_pictures
from inversion.runs import write_encoder
from limner.api.diffusing import diffuse_pictures
from limner.errors import ConfigError, DataError
from limner.latents import Latents


@pytest.fixture(scope="module")
def encoder_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "encoder", tiny_run)


def run(encoder_run: Path, photos: Path, out: Path, **changes: Any) -> list[Path]:
    settings: dict[str, Any] = {
        "targets": [photos / "000.png", photos / "001.png"],
        "contexts": [photos / "002.png"],
        "box": "4,4,8,6",
        "steps": 2,
        "perceptual": "none",
        "device": "cpu",
    }
    return diffuse_pictures(encoder_run, out, **{**settings, **changes}).paths


def test_every_pair_gets_a_picture_a_strip_and_a_place_on_the_sheet(encoder_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    paths = run(encoder_run, photos, tmp_path / "out", command="limner diffuse")
    names = {"000-002.png", "001-002.png", "000-002-strip.png", "001-002-strip.png", "codes.safetensors", "diffuse.png"}
    assert {path.name for path in paths} == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {"command.txt"}
    assert len(Latents.load(tmp_path / "out" / "codes.safetensors").values) == 2


def test_outside_the_box_a_target_has_no_influence(encoder_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    with Image.open(photos / "000.png") as picture:
        pixels = np.asarray(picture).copy()
    pixels[:4] = 7
    pixels[:, 12:] = 250
    Image.fromarray(pixels).save(photos / "001.png")
    run(encoder_run, photos, tmp_path / "out")
    first, second = Latents.load(tmp_path / "out" / "codes.safetensors").values
    assert torch.equal(first, second)


def test_progress_and_resizing_are_told(encoder_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    Image.new("RGB", (20, 40), "red").save(photos / "tall.png")
    told: list[tuple[int, int]] = []
    made = diffuse_pictures(
        encoder_run,
        tmp_path / "out",
        targets=[photos / "tall.png"],
        contexts=[photos / "000.png"],
        box="0,0,16,16",
        steps=2,
        perceptual="none",
        device="cpu",
        progress=lambda *c: told.append(c),
    )
    assert made.remarks == ("'tall' is resized from 20x40 to 16x16",)
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"box": "10,10,8,8"}, ConfigError, "expected a part of a picture 16 pixels wide and 16 high"),
        ({"box": "10,10"}, ConfigError, "expected x,y,width,height"),
        ({"targets": []}, ConfigError, "expected at least one target and one context"),
        ({"targets": ["nowhere.png"]}, DataError, "target: no such file"),
        ({"lr": -1.0}, ConfigError, "in_domain.lr: got -1.0"),
    ],
)
def test_what_cannot_be_done_is_refused(
    changes: dict[str, Any], error: type[Exception], message: str, encoder_run: Path, tmp_path: Path
) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    with pytest.raises(error, match=message):
        run(encoder_run, photos, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_without_an_encoder_it_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    with pytest.raises(ConfigError, match="method 'in-domain' needs an encoder"):
        run(tiny_run, photos, tmp_path / "out")
