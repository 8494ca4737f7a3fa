"""`limner prepare`, and `dataset-tool` in NVIDIA's words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Command
from conftest import write_pictures
from limner.data import open_dataset


def resolution(path: Path) -> tuple[int, int]:
    dataset = open_dataset(path)
    dataset.close()
    return dataset.resolution


def first_picture(path: Path) -> np.ndarray:
    dataset = open_dataset(path)
    pixels = dataset.image(0)
    dataset.close()
    return pixels


def test_a_folder_becomes_a_data_set_with_a_summary(command: Command, class_folder: Path, tmp_path: Path) -> None:
    pictures = shutil.copytree(class_folder, tmp_path / "animals")
    (pictures / "cat" / "notes.txt").write_text("not a picture")
    dest = tmp_path / "animals.zip"
    answer = command("prepare", pictures, dest, "--resolution", 8)
    assert answer.code == 0
    assert "12 pictures of 8x8 (height x width), 3 channels, 8 bits, 3 labels" in answer.out
    assert "1 left out: not a picture: cat/notes.txt" in answer.out
    assert answer.err == f"train on it: limner train --data {dest} --preset stylegan2-tiny\n"
    assert resolution(dest) == (8, 8)


def test_height_comes_before_width(command: Command, picture_folder: Path, tmp_path: Path) -> None:
    assert command("prepare", picture_folder, tmp_path / "a.zip", "--resolution", "8x16", "--crop", "none").code == 0
    assert resolution(tmp_path / "a.zip") == (8, 16)


@pytest.mark.parametrize("size", [["--resolution=16x8"], ["--width=16", "--height=8"]])
def test_in_nvidias_words_width_comes_before_height(
    command: Command, picture_folder: Path, tmp_path: Path, size: list[str]
) -> None:
    words = [f"--source={picture_folder}", f"--dest={tmp_path / 'a.zip'}", "--transform=center-crop", *size]
    assert command("dataset-tool", *words).code == 0
    assert resolution(tmp_path / "a.zip") == (8, 16)


def test_in_nvidias_words_pictures_are_stretched_unless_cropped(command: Command, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "wide", 2, size=(16, 32))
    for name, words in (("stretched", []), ("cropped", ["--transform=center-crop"])):
        dest = tmp_path / f"{name}.zip"
        assert command("dataset-tool", "--source", pictures, "--dest", dest, "--resolution=16x16", *words).code == 0
    original, stretched, cropped = map(first_picture, (pictures, tmp_path / "stretched.zip", tmp_path / "cropped.zip"))
    assert np.array_equal(cropped, original[:, :, 8:24])
    assert not np.array_equal(stretched, cropped)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--transform=center-crop-wide"], "got 'center-crop-wide', expected center-crop"),
        (["--resolution=64"], "got '64', expected width x height"),
        (["--width=64"], "got one of --width and --height, expected both"),
    ],
)
def test_words_of_nvidias_that_have_no_meaning_here_are_refused(
    command: Command, picture_folder: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    answer = command("dataset-tool", "--source", picture_folder, "--dest", tmp_path / "a.zip", *words)
    assert answer.code == 1
    assert message in answer.err
    assert not list(tmp_path.iterdir())
