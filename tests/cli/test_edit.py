"""`limner edit`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command


def test_a_sheet_is_written_and_its_direction_told(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    assert command("directions", "pca", tiny_run, "--count", 2, "--out", tmp_path, "-q").code == 0
    given = ["--given", tmp_path / "pca-1", "--layers", "0-2"]
    words = ["--direction", tmp_path / "pca-0", "--strength", "-2:2:3", *given, "--out", tmp_path / "sheet.png"]
    answer = command("edit", tiny_run, "1-2", *words)
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'sheet.png'}: pca-0 given pca-1 by -2, 0, 2\n")
    assert (tmp_path / "sheet.png").is_file()


def test_a_missing_direction_is_one_sentence(command: Command, tiny_run: Path) -> None:
    answer = command("edit", tiny_run, "1", "--direction", "nothing")
    assert (answer.code, answer.out) == (1, "")
    assert "CheckpointError: 'nothing.safetensors' does not exist" in answer.err.splitlines()[-1]
