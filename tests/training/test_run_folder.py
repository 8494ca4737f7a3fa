"""Whether a configuration may go on in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from limner.errors import CheckpointError, ConfigError
from limner.training import run_folder
from training.runs import tiny


def opened(folder: Path, fingerprint: str = "f", command: str = "", **changes: Any) -> Path:
    run_folder.open_folder(folder, tiny("data.zip", changes.pop("iterations", 10), **changes), fingerprint, command)
    return folder


def test_a_new_folder_records_configuration_pictures_and_command(tmp_path: Path) -> None:
    folder = opened(tmp_path / "a" / "run", command="limner train --data data.zip")
    document = json.loads((folder / "config.json").read_text())
    assert document["kind"] == "run"
    assert document["data_fingerprint"] == "f"
    assert document["config"]["generator"]["channel_max"] == 8
    assert (folder / "command.txt").read_text() == "limner train --data data.zip\n"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert (opened(tmp_path) / "config.json").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 20},
        {"data__path": "elsewhere/data.zip"},
        {"data__workers": 1, "data__cache_mb": 10},
        {"batch_gpu": 4},
        {"callbacks__names": "log", "callbacks__tick_kimg": 1.0},
    ],
)
def test_length_place_and_layout_of_work_may_change(tmp_path: Path, changes: dict[str, Any]) -> None:
    opened(tmp_path)
    opened(tmp_path, command="again", **changes)
    assert (tmp_path / "command.txt").read_text() == "again\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective__r1_gamma": 7.0}, r"objective\.r1_gamma: 2(\.0)? there, 7(\.0)? now"),
        ({"seed": 4}, "seed: 0 there, 4 now"),
        ({"data__mirror": True}, r"data\.mirror: False there, True now"),
        ({"batch": 16}, "batch: 8 there, 16 now"),
        ({"generator__channel_max": 4}, r"generator\.channel_max: 8 there, 4 now"),
    ],
)
def test_a_run_of_other_settings_is_refused_by_the_name_of_the_setting(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    opened(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(ConfigError, match=f"other settings.*{said}.*another --out"):
        opened(tmp_path, **changes)
    assert (tmp_path / "config.json").read_bytes() == before


def test_many_differences_are_counted(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(ConfigError, match="and 2 more"):
        opened(tmp_path, seed=1, ema__kimg=1.0, augment__mode="ada", optimizer__g_lr=1.0, optimizer__d_lr=1.0)


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(ConfigError, match=r"trained on other pictures than 'data\.zip'"):
        opened(tmp_path, fingerprint="g")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(ConfigError, match="not empty and holds no run"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match=r"cannot make the run folder '.*run'.*another --out"):
        opened(tmp_path / "run")


def test_a_snapshot_is_not_a_run(tmp_path: Path) -> None:
    opened(tmp_path)
    document = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(document | {"kind": "snapshot"}))
    with pytest.raises(ConfigError, match="is a snapshot, not a run"):
        opened(tmp_path)


def test_a_damaged_config_is_an_error(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        opened(tmp_path)


def test_a_command_that_cannot_be_recorded_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run" / "command.txt").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_bytes((opened(tmp_path / "other") / "config.json").read_bytes())
    with pytest.raises(CheckpointError, match=r"cannot write '.*command\.txt'.*free space"):
        opened(tmp_path / "run", command="limner train")


@pytest.mark.parametrize(
    ("changes", "world", "said"),
    [
        ({"batch": 6}, 4, "batch: got 6, expected a multiple of the 4 processes"),
        ({"batch_gpu": 3}, 1, r"batch_gpu: got 3, expected a divisor of 8.*--batch-gpu"),
        ({"batch_gpu": 3}, 2, "batch_gpu: got 3, expected a divisor of 4"),
        ({"total_kimg": 0.0}, 1, "total_kimg: got 0, expected more than 0"),
    ],
)
def test_a_batch_that_does_not_divide_is_refused(changes: dict[str, Any], world: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_folder.check_batch(tiny("data.zip", 10, **changes), world)


@pytest.mark.parametrize(("batch_gpu", "world"), [(None, 2), (8, 1), (4, 2), (2, 2), (64, 1)])
def test_a_batch_that_divides_is_taken(batch_gpu: int | None, world: int) -> None:
    """`batch_gpu` is the most a process holds at once, so more than its share is no limit."""
    run_folder.check_batch(tiny("data.zip", 10, batch_gpu=batch_gpu), world)
