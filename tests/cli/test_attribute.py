"""`limner attribute`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command
from conftest import write_pictures


def test_attribution_is_calibrated_and_asked(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    words = ["--perceptual", "none", "--steps", 3, "--reference", tmp_path / "r.json"]
    answer = command("attribute", tiny_run, photos, "--calibrate", "--num", 2, *words)
    assert answer.code == 0, answer.err
    assert [line.split(":")[0] for line in answer.out.splitlines()] == ["auc", "d_prime", "tpr_at_1_fpr"]
    answer = command("attribute", tiny_run, photos, *words)
    assert len(answer.out.splitlines()) == 2
    assert all("this generator" in line for line in answer.out.splitlines())


def test_pictures_that_are_not_there_are_one_sentence(command: Command, tiny_run: Path) -> None:
    answer = command("attribute", tiny_run, "nowhere", "--perceptual", "none")
    assert (answer.code, answer.out) == (1, "")
    assert "DataError: no such folder or file: nowhere" in answer.err.splitlines()[-1]
