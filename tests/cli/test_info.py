"""`limner info`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Command
from limner.api import info
from limner.cli.info import checkpoint_rows, data_rows


def test_data_are_listed_and_a_sheet_is_written_beside_the_reader(
    command: Command, class_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command("info", class_folder)
    assert answer.code == 0
    lines = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    assert lines["data"].startswith(f"{class_folder} (folder")
    assert lines["pictures"] == "12"
    assert lines["sizes"] == "16x16 (12)"
    assert lines["labels"] == "3 classes: cat (4), dog (4), owl (4)"
    assert (tmp_path / "animals-sheet.png").is_file()
    assert lines["contact"] == "sheet  animals-sheet.png"


def test_a_run_is_listed(command: Command, tiny_run: Path) -> None:
    answer = command("info", tiny_run)
    assert answer.code == 0
    for text in ("stylegan2-tiny", "16x16 (height x width), 3 channels, unconditional", "2 kimg", "num_ws 6", "000002"):
        assert text in answer.out


def test_long_lists_are_cut_and_what_is_wrong_is_told() -> None:
    about = {
        "path": "d",
        "form": "folder",
        "size_bytes": 1,
        "count": 3,
        "sizes": [[8, 8, 1]] * 25,
        "channels": {3: 3},
        "bits": {8: 3},
        "labels": None,
        "broken": {"a.png": "empty"},
        "others": ["notes.txt"],
        "advice": "run 'limner prepare'",
    }
    rows = dict(data_rows(about))
    assert rows["sizes"].endswith("and 5 more")
    assert rows["unreadable"] == "1: a.png (empty)"
    assert rows["other files"] == "1: notes.txt"
    assert rows["advice"] == "run 'limner prepare'"


def test_metrics_and_labels_of_a_snapshot_are_told(conditional_run: Path) -> None:
    about = info(conditional_run / "snapshots" / "000002")
    rows = dict(checkpoint_rows({**about, "metrics": {"swd2k": 12.3456}}))
    assert rows["metrics"] == "swd2k 12.35"
    assert rows["pictures"].endswith("labels of 3 values")
    assert rows["trained for"] == "2 kimg"
