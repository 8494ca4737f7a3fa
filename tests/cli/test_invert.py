"""`limner invert` and `projector`."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cli.conftest import Command
from conftest import write_pictures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos", 2)


def test_pictures_are_inverted_and_told(command: Command, tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--perceptual", "none", "--steps", 2, "--space", "wplus", "--set", "pixel_weight=2", "--out", out]
    answer = command("invert", tiny_run, photos, *words)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("2 pictures: mse ")
    assert answer.out.endswith(f"; {out / 'invert.html'}\n")
    assert command("invert", tiny_run, photos, *words).out.startswith("2 pictures (2 done before): mse ")
    assert (out / "command.txt").read_text().startswith("limner invert ")


def test_nvidias_words_project(command: Command, tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    words = [f"--network={tiny_run}", f"--target={photos / '000.png'}", f"--outdir={tmp_path / 'out'}", "--num-steps=2"]
    answer = command("projector", *words, "--method=project", "--perceptual=none")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("1 pictures: mse ")


def test_what_was_done_to_pictures_is_told(command: Command, tiny_run: Path, photos: Path, tmp_path: Path) -> None:
    Image.new("L", (30, 30)).save(photos / "grey.png")
    (photos / "bad.png").write_bytes(b"nothing")
    answer = command("invert", tiny_run, photos, "--perceptual", "none", "--steps", 0, "--out", tmp_path / "out")
    assert "limner: note: 'grey' is resized from 30x30 to 16x16\n" in answer.err
    assert "limner: note: 'bad' is left out: broken picture" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["invert", "RUN", "nowhere"], "DataError: no such folder or file: nowhere"),
        (["invert", "RUN", "PHOTOS", "--method", "enc"], "ConfigError: method: got 'enc', expected one of"),
        (["invert", "RUN", "PHOTOS", "--method", "project", "--space", "z"], "method 'project' has no setting 'space'"),
        (["invert", "RUN", "PHOTOS", "--set", "lr"], "ConfigError: --set: got 'lr', expected path=value"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], message: str, command: Command, tiny_run: Path, photos: Path
) -> None:
    places = {"RUN": tiny_run, "PHOTOS": photos}
    answer = command(*(places.get(word, word) for word in words), "--perceptual", "none")
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err.splitlines()[-1]
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("verb", ["invert", "directions", "edit", "diffuse", "attribute"])
def test_help_is_readable(verb: str, command: Command) -> None:
    answer = command(verb, "--help")
    assert answer.code == 0
    assert "For example" in answer.out
