"""The embedded model: it is small, works by its name alone, and its parts do what they are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import limner
from limner.api import generate, info
from limner.checkpoints import embedded
from limner.checkpoints.io import find_snapshot, read_document
from limner.checkpoints.networks import load_classifier, load_encoder
from limner.data import open_dataset
from limner.editing.base import Direction
from limner.papers.base import Generator

MODEL = "avatars"
BUDGET = 6_000_000
"""Bytes of everything that belongs to the model."""


@pytest.fixture(scope="module")
def generator() -> Generator:
    return limner.load(MODEL, "cpu")


@pytest.fixture(scope="module")
def sampled(generator: Generator) -> torch.Tensor:
    """[200, num_ws, w_dim]."""
    z = torch.from_numpy(np.random.RandomState(0).randn(200, generator.z_dim)).float()
    return generator.mapping(z)


def test_every_file_is_within_the_budget_and_names_no_machine() -> None:
    files = [file for file in embedded.place(MODEL).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= BUDGET
    for file in files:
        if file.suffix == ".json":
            assert not any(f"/{folder}/" in file.read_text() for folder in ("home", "tmp", "root", "work"))


def test_it_is_named_like_any_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert generate(MODEL, tmp_path / "pictures", seeds="0,1")
    about = info(MODEL)
    assert (about["kind"], about["resolution"]) == ("snapshot", list(embedded.MODELS[MODEL].resolution))
    assert {"generator_ema", "encoder"} <= set(about["networks"])
    assert not list(tmp_path.glob(f"{MODEL}*"))


def test_what_the_user_has_under_the_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = embedded.resolve(f"{MODEL}/directions/Smiling")
    assert packaged.with_name(packaged.name + embedded.SUFFIX).is_file()
    (tmp_path / MODEL / "directions").mkdir(parents=True)
    assert embedded.resolve(MODEL) == Path(MODEL)
    assert embedded.resolve(f"{MODEL}/classifier") == embedded.place(MODEL) / "classifier"
    (tmp_path / MODEL / "directions" / "Smiling.safetensors").touch()
    assert embedded.resolve(f"{MODEL}/directions/Smiling") == Path(MODEL, "directions", "Smiling")


@pytest.mark.parametrize("path", ["/avatars", "runs/avatars", "avatars/../avatars", "avatars/nothing", "AVATARS"])
def test_other_paths_stay_what_they_are(path: str) -> None:
    assert embedded.resolve(path) == Path(path)


def test_all_parts_belong_to_one_generator() -> None:
    identity = read_document(find_snapshot(MODEL))["fingerprint"]
    assert load_encoder(MODEL).fingerprint == identity
    directions = sorted((embedded.place(MODEL) / "directions").glob("*.safetensors"))
    assert [path.stem for path in directions] == sorted(load_classifier(f"{MODEL}/classifier").attributes)
    assert {Direction.load(path).fingerprint for path in directions} == {identity}


def test_its_pictures_differ_and_show_the_attributes_it_was_trained_on(
    generator: Generator, sampled: torch.Tensor
) -> None:
    images = generator.synthesis(sampled).clamp(-1, 1)
    assert images.std(0).mean() > 0.2
    has = load_classifier(f"{MODEL}/classifier")(images) > 0
    names = load_classifier(f"{MODEL}/classifier").attributes
    shares = dict(zip(names, has.float().mean(0).tolist(), strict=True))
    assert 0.2 < shares["Long_Hair"] < 0.8
    assert 0.2 < shares["Dark_Skin"] < 0.8


@pytest.mark.parametrize("name", ["Smiling", "Eyeglasses", "Beard", "Gray_Hair"])
def test_a_direction_changes_what_it_is_named_after(generator: Generator, sampled: torch.Tensor, name: str) -> None:
    classifier = load_classifier(f"{MODEL}/classifier")
    column = classifier.attributes.index(name)
    direction = Direction.load(embedded.resolve(f"{MODEL}/directions/{name}"))
    shares = []
    for strength in (-3.0, 3.0):
        images = generator.synthesis(direction.apply(sampled[:50], strength)).clamp(-1, 1)
        shares.append((classifier(images)[:, column] > 0).float().mean().item())
    assert shares[1] > shares[0] + 0.3


def test_its_encoder_finds_pictures_better_than_the_average_picture_does(generator: Generator) -> None:
    dataset = open_dataset("samples", subset=16)
    pixels = np.stack([dataset.image(index) for index in range(16)])
    dataset.close()
    images = torch.from_numpy(pixels).float() / 127.5 - 1
    found = generator.synthesis(load_encoder(MODEL).encode(images, generator))
    best_constant = (images - images.mean(0)).square().mean()
    assert (found - images).square().mean() < 0.5 * best_constant
