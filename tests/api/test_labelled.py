"""What a classifier is asked to learn: all attributes, some, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.api import RunRequest, configure
from limner.config import RunConfig, to_yaml
from limner.errors import ConfigError, DataError
from limner.training.run_folder import open_folder
from papers.classifier.labelled import write_labelled


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled(tmp_path_factory.mktemp("data") / "labelled", 12)


def ask(data: Path, **request: Any) -> RunConfig:
    return configure(RunRequest(**{"data": str(data), "preset": "classifier-tiny", **request})).config


def relabelled(folder: Path, column: int, value: int) -> Path:
    """Pictures that all say the same about one attribute."""
    data = write_labelled(folder, 12)
    lines = (data / "list_attr.txt").read_text().splitlines()
    rows = np.array([line.split() for line in lines[2:]])
    rows[:, 1 + column] = f"{value:+d}"
    (data / "list_attr.txt").write_text("\n".join([*lines[:2], *(" ".join(row) for row in rows)]) + "\n")
    return data


@pytest.mark.parametrize("names", [None, ("all",)])
def test_every_attribute_is_learned_unless_some_are_named(labelled: Path, names: tuple[str, ...] | None) -> None:
    config = ask(labelled, attributes=names)
    assert config.classifier.attributes == {"Bright": 0, "Red": 1, "Striped": 2}
    assert (config.data.cond, config.data.c_dim, config.classifier.c_dim) == (True, 3, 3)
    assert (config.generator, config.discriminator) == (None, None)


def test_named_attributes_keep_their_places_whatever_their_order(labelled: Path) -> None:
    assert list(ask(labelled, attributes=("Striped", "Bright")).classifier.attributes.items()) == [
        ("Bright", 0),
        ("Striped", 2),
    ]


def test_classes_are_attributes_too(class_folder: Path) -> None:
    assert ask(class_folder).classifier.attributes == {"cat": 0, "dog": 1, "owl": 2}


def test_resolution_and_channels_reach_the_classifier(labelled: Path) -> None:
    config = ask(labelled, resolution=(8, 8), channels=1)
    assert (config.classifier.img_resolution, config.classifier.img_channels) == ((8, 8), 1)


def test_a_file_says_which(labelled: Path, tmp_path: Path) -> None:
    config = ask(labelled, attributes=("Red",))
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(config))
    assert configure(RunRequest(files=(file,))).config == config
    assert configure(RunRequest(files=(file,), attributes=("Bright",))).config.classifier.attributes == {"Bright": 0}


def test_a_run_that_goes_on_learns_what_it_learned(labelled: Path, tmp_path: Path) -> None:
    config = ask(labelled, attributes=("Red",))
    open_folder(tmp_path / "run", config, "none", "")
    assert configure(RunRequest(run_dir=tmp_path / "run")).config == config
    with pytest.raises(ConfigError, match=r"other settings \(classifier\.attributes\.Bright"):
        configure(RunRequest(run_dir=tmp_path / "run", attributes=("Bright", "Red")))


def test_an_unknown_attribute_is_answered_with_the_closest(labelled: Path) -> None:
    with pytest.raises(ConfigError, match=r"got 'Stripes', .* Bright, Red, Striped\. Did you mean 'Striped'\?"):
        ask(labelled, attributes=("Red", "Stripes"))


def test_no_attribute_is_no_answer(labelled: Path) -> None:
    with pytest.raises(ConfigError, match="attributes: got none, the pictures are labelled with Bright"):
        ask(labelled, attributes=())


def test_pictures_without_labels_are_refused(picture_folder: Path) -> None:
    with pytest.raises(DataError, match=r"have no labels, expected attributes of each picture to learn; .*labels\.md"):
        ask(picture_folder)


@pytest.mark.parametrize(("value", "how"), [(1, "all"), (-1, "none")])
def test_an_attribute_with_one_value_is_refused(tmp_path: Path, value: int, how: str) -> None:
    data = relabelled(tmp_path / "data", 1, value)
    with pytest.raises(DataError, match=rf"'Red': {how} of the 12 pictures have it.*--attributes Bright,Striped"):
        ask(data)
    assert list(ask(data, attributes=("Bright", "Striped")).classifier.attributes) == ["Bright", "Striped"]


def test_a_generator_learns_no_attributes(labelled: Path) -> None:
    with pytest.raises(ConfigError, match=r"--attributes .* 'stylegan2-tiny' trains none; .*classifier-tiny"):
        ask(labelled, preset="stylegan2-tiny", attributes=("all",))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"cond": False}, "--cond: got no"),
        ({"settings": {"callbacks.metrics": ["fd_lite0"]}}, "trains a classifier; drop --metrics"),
        ({"settings": {"augment.mode": "ada"}}, "adapts to a discriminator"),
        ({"settings": {"data.held_out": 1.5}}, r"data\.held_out: got 1\.5, expected > 0, < 1"),
    ],
)
def test_what_a_classifier_has_no_use_for_is_refused(labelled: Path, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(labelled, **request_)


def test_a_part_of_other_rooms_is_refused(labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("classifier: {shared: true}")
    with pytest.raises(ConfigError, match=r"'classifier' is for rooms that train a classifier, room 'stylegan2'"):
        ask(labelled, preset="stylegan2-tiny", files=(file,))
