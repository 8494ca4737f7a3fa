"""`limner diffuse`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command
from conftest import write_pictures
from inversion.runs import write_encoder


def test_a_part_is_grown_into_other_pictures(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    encoder = write_encoder(tmp_path / "encoder", tiny_run)
    pictures = ["--target", photos / "000.png", "--context", photos / "001.png", photos / "002.png"]
    words = [*pictures, "--box", "2,2,8,8", "--steps", 1, "--encoder", encoder, "--perceptual", "none"]
    answer = command("diffuse", tiny_run, *words, "--out", tmp_path / "d")
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'd' / 'diffuse.png'}\n")
    assert (tmp_path / "d" / "000-002.png").is_file()


def test_a_box_that_is_none_is_one_sentence(command: Command, tiny_run: Path) -> None:
    answer = command("diffuse", tiny_run, "--target", "a", "--context", "b", "--box", "1")
    assert (answer.code, answer.out) == (1, "")
    assert "ConfigError: box: got '1', expected x,y,width,height" in answer.err.splitlines()[-1]
