"""A trained classifier at work: linear separability with named attributes, directions, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limner.api import evaluation, info
from limner.api.directions import Evidence, fit_directions
from limner.checkpoints.io import read_document, write_document, write_snapshot
from limner.errors import CheckpointError, ConfigError, ShapeError
from limner.papers.classifier import Classifier
from papers.classifier.labelled import NAMES, tiny

pytest.importorskip("sklearn", reason="the SVM")


def write_classifier(folder: Path, **changes: object) -> Path:
    """A run folder with a classifier of random weights that finds every attribute in half of what it sees."""
    config = tiny("labelled.zip", 1, **changes)
    torch.manual_seed(3)
    C = Classifier(config.classifier)
    with torch.no_grad():
        images = torch.randn(64, config.data.channels, *config.data.resolution).clamp(-1, 1)
        C.networks[0].out.bias -= C(images).median(0).values
    write_document(folder, "run", config, {"data_fingerprint": "none"})
    write_snapshot(folder / "snapshots" / "000001", config, {"classifier": C}, {"kimg": 1.0})
    return folder


@pytest.fixture(scope="module")
def classifier_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("runs") / "classifier")


def test_separability_names_the_attributes_and_the_classifier(tiny_run: Path, classifier_run: Path) -> None:
    (result,) = evaluation.evaluate(tiny_run, metrics=["ls"], num=64, classifier=classifier_run)
    entropies = [result.values[f"{result.name}/w/{name}"] for name in NAMES]
    assert result.value == pytest.approx(2 ** sum(entropies))
    assert result.values[f"{result.name}/attributes"] == 3
    identity = read_document(classifier_run / "snapshots" / "000001")["fingerprint"]
    assert result.networks["classifier"] == {"fingerprint": identity}
    assert result.warnings[-1] == (
        "ls_64 fits planes to 32 latents of 16 numbers, which splits even random labels well; take 320 pictures or more"
    )


def test_a_classifier_of_half_the_size_judges_pictures_averaged_down(tiny_run: Path, tmp_path: Path) -> None:
    small = write_classifier(tmp_path / "small", data__resolution=[8, 8], classifier__img_resolution=[8, 8])
    (result,) = evaluation.evaluate(tiny_run, metrics=["ls"], num=16, classifier=small)
    assert result.value >= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__resolution": [32, 32], "classifier__img_resolution": [32, 32]}, "32x32 .* got 16x16 with 3"),
        ({"data__channels": 1, "classifier__img_channels": 1}, "with 1 channels.*got 16x16 with 3"),
    ],
)
def test_a_classifier_of_other_pictures_is_refused(
    tiny_run: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    other = write_classifier(tmp_path / "other", **changes)
    with pytest.raises(ShapeError, match=message):
        evaluation.evaluate(tiny_run, metrics=["ls"], num=16, classifier=other)


def test_a_classifier_that_no_metric_asks_is_refused(tiny_run: Path, classifier_run: Path) -> None:
    with pytest.raises(ConfigError, match="none of swd asks what pictures show; add ls"):
        evaluation.evaluate(tiny_run, metrics=["swd"], classifier=classifier_run)


def test_a_generator_is_refused_as_a_classifier(tiny_run: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no classifier"):
        evaluation.evaluate(tiny_run, metrics=["ls"], num=16, classifier=tiny_run)


def test_without_a_classifier_the_message_says_how_to_train_one(tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"got none; train one with limner train --preset classifier-tiny"):
        evaluation.evaluate(tiny_run, metrics=["ls"], num=16)


def test_directions_are_found_with_a_trained_classifier(tiny_run: Path, classifier_run: Path, tmp_path: Path) -> None:
    evidence = Evidence(classifier=classifier_run, attributes=("Red",), num_samples=400)
    ((path, direction),) = fit_directions(tiny_run, tmp_path, evidence)
    assert path.name == "Red.safetensors"
    assert (direction.name, direction.space) == ("Red", "w")
    assert not (tmp_path / "classifier.safetensors").exists()
    every = fit_directions(tiny_run, tmp_path, replace(evidence, attributes=("all",)))
    assert [direction.name for _, direction in every] == list(NAMES)


def test_an_attribute_that_a_classifier_does_not_know_is_refused_before_pictures_are_sampled(
    tiny_run: Path, classifier_run: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    evidence = Evidence(classifier=classifier_run, attributes=("Rad",), num_samples=400)
    with pytest.raises(ConfigError, match=r"got 'Rad', known are .*Did you mean 'Red'"):
        fit_directions(tiny_run, tmp_path, evidence, progress=lambda *count: told.append(count))
    assert not told


def test_info_lists_what_it_knows(classifier_run: Path) -> None:
    about = info(classifier_run)
    assert about["attributes"] == list(NAMES)
    assert list(about["networks"]) == ["classifier"]
    assert about["networks"]["classifier"] > 1000


def test_less_weight_of_errors_gives_boundaries_that_codes_vary_more_across(
    tiny_run: Path, classifier_run: Path, tmp_path: Path
) -> None:
    evidence = Evidence(classifier=classifier_run, attributes=("Red",), num_samples=400)
    deviations = []
    for error_weight in (1.0, 1e-4):
        ((_, direction),) = fit_directions(tiny_run, tmp_path, evidence, error_weight=error_weight)
        deviations.append(direction.deviation)
    assert deviations[1] > deviations[0]
    with pytest.raises(ConfigError, match="C 0"):
        fit_directions(tiny_run, tmp_path, evidence, error_weight=0.0)
