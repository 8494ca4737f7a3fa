"""Finding directions with classifiers, labels, weights and others' files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import write_pictures
from limner.api.directions import Evidence, discover, file_name, fit_directions, import_boundary, rank_channels
from limner.api.inverting import InvertRequest, invert, open_generator
from limner.editing.base import Direction
from limner.errors import CheckpointError, ConfigError
from limner.features.base import RANDOM, FeatureNetwork


class Colours(FeatureNetwork):
    """Means and deviations of each channel."""

    name, sha256, resize = "colours", RANDOM, "none"
    dims = {"pool": 6}  # noqa: RUF012 - as the protocol has it

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        values = images.float()
        return {"pool": torch.cat([values.mean((2, 3)), values.std((2, 3))], 1)}


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.features.lite0.load", lambda device: Colours())


@pytest.fixture(scope="module")
def labelled(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of the generator, labelled by how red and how bright they are."""
    from limner.api import load

    folder = tmp_path_factory.mktemp("labelled")
    pictures = load(tiny_run, "cpu").sample(range(1000, 1060))
    means = np.array([np.asarray(picture).mean((0, 1)) for picture in pictures])
    marks = np.stack([means[:, 0] > np.median(means[:, 0]), means.mean(1) > np.median(means.mean(1))], 1)
    for index, picture in enumerate(pictures):
        picture.save(folder / f"{index:03d}.png")
    with open(folder / "list_attr.txt", "w") as file:
        file.write(f"{len(pictures)}\nRed Bright\n")
        for index, row in enumerate(marks):
            file.write(f"{index:03d}.png {' '.join('1' if mark else '-1' for mark in row)}\n")
    return folder


@pytest.mark.usefixtures("colours")
def test_attributes_of_labelled_pictures_become_directions(tiny_run: Path, labelled: Path, tmp_path: Path) -> None:
    evidence = Evidence(classifier=labelled, num_samples=400, batch=64)
    found = fit_directions(tiny_run, tmp_path, evidence, device="cpu")
    assert [path.name for path, _ in found] == ["Red.safetensors", "Bright.safetensors"]
    assert (tmp_path / "classifier.safetensors").is_file()
    generator, identity = open_generator(tiny_run, "cpu")
    for (path, way), channels in zip(found, ([0], [0, 1, 2]), strict=True):
        Direction.load(path).check(generator, identity)
        assert way.numbers["heldout_accuracy"] > 0.7
        ws = generator.mapping(torch.randn(20, 16, generator=torch.Generator().manual_seed(0)))
        low, high = (generator.synthesis(way.apply(ws, s))[:, channels].clamp(-1, 1).mean() for s in (-2.0, 2.0))
        assert high > low


@pytest.mark.usefixtures("colours")
def test_a_classifier_is_used_again_and_attributes_are_chosen(tiny_run: Path, labelled: Path, tmp_path: Path) -> None:
    first = Evidence(classifier=labelled, num_samples=300)
    fit_directions(tiny_run, tmp_path, first, device="cpu")
    again = Evidence(classifier=tmp_path / "classifier.safetensors", attributes=("Bright",), num_samples=300)
    ((path, way),) = fit_directions(tiny_run, tmp_path / "again", again, space="w+", device="cpu")
    assert (path.name, way.space) == ("Bright.safetensors", "w+")
    with pytest.raises(ConfigError, match=r"got 'Brigt', known are Red, Bright\. Did you mean 'Bright'"):
        fit_directions(
            tiny_run, tmp_path, Evidence(classifier=labelled, attributes=("Brigt",), num_samples=10), device="cpu"
        )


@pytest.mark.usefixtures("colours")
def test_style_channels_are_ranked(tiny_run: Path, labelled: Path, tmp_path: Path) -> None:
    evidence = Evidence(classifier=labelled, attributes=("Red",), num_samples=300)
    found = rank_channels(tiny_run, tmp_path, evidence, count=3, device="cpu")
    relevances = [way.numbers["relevance"] for _, way in found]
    assert relevances == sorted(relevances, reverse=True)
    assert all(way.space == "s" and path.name.startswith("Red-synthesis_network.b") for path, way in found)


def test_labels_of_inverted_pictures_serve_as_well(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 16)
    request = InvertRequest(settings={"steps": 1}, perceptual="none")
    invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu")
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        rows = [["file", "hat", "glasses"], *([f"all/{i:03d}.png", i % 2, int(i < 8)] for i in range(20))]
        csv.writer(file).writerows(rows)
    evidence = Evidence(inverted=tmp_path / "inverted", labels=tmp_path / "labels.csv")
    found = fit_directions(tiny_run, tmp_path / "out", evidence, space="w+", device="cpu")
    assert [way.name for _, way in found] == ["hat", "glasses"]
    with pytest.raises(ConfigError, match=r"got 'z', these codes are known in w, w\+"):
        fit_directions(tiny_run, tmp_path / "out", evidence, space="z", device="cpu")


def test_evidence_that_is_not_enough_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, ConfigError, "got both or neither"),
        ({"classifier": "a", "inverted": "b"}, ConfigError, "got both or neither"),
        ({"inverted": tmp_path}, ConfigError, "labels: got none for the inverted pictures"),
        ({"inverted": tmp_path, "labels": "x.csv"}, CheckpointError, "holds no finished inversion"),
        ({"classifier": photos, "num_samples": 0}, ConfigError, "samples: got 0"),
    ]
    for settings, error, message in cases:
        with pytest.raises(error, match=message):
            fit_directions(tiny_run, tmp_path / "out", Evidence(**settings), device="cpu")


@pytest.mark.usefixtures("colours")
def test_pictures_without_labels_make_no_classifier(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    with pytest.raises(ConfigError, match="carries no labels"):
        fit_directions(tiny_run, tmp_path / "out", Evidence(classifier=photos, num_samples=10), device="cpu")


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_directions_nobody_named_keep_the_layers_asked_for(method: str, tiny_run: Path, tmp_path: Path) -> None:
    found = discover(tiny_run, tmp_path, method, count=2, layers="1-2", device="cpu")
    assert [path.name for path, _ in found] == [f"{method}-0.safetensors", f"{method}-1.safetensors"]
    assert all(way.layers == (1, 2) for _, way in found)
    with pytest.raises(ConfigError, match="count: got 0"):
        discover(tiny_run, tmp_path, method, count=0, device="cpu")


def test_a_boundary_of_others_is_brought_in(tiny_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "age_w.npy", np.random.RandomState(0).randn(1, 16))
    path, way = import_boundary(tiny_run, tmp_path / "age_w.npy", tmp_path / "out", device="cpu")
    assert (path.name, way.space, way.deviation > 0) == ("age_w.safetensors", "w", True)
    way.check(*open_generator(tiny_run, "cpu"))
    with pytest.raises(CheckpointError, match="does not exist"):
        import_boundary(tiny_run, tmp_path / "nothing.npy", tmp_path / "out", device="cpu")


def test_names_become_names_of_files() -> None:
    assert file_name("5_o_Clock Shadow/x") == "5_o_Clock-Shadow-x"
    assert file_name("../..") == "direction"


def test_pictures_of_a_class_are_sampled(conditional_run: Path, tmp_path: Path) -> None:
    (_, first), (_, second) = (
        discover(conditional_run, tmp_path / str(label), "pca", count=1, label=label, device="cpu")[0]
        for label in (0, 1)
    )
    assert not torch.equal(first.vector, second.vector)
