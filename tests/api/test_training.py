"""Starting runs: folders, processes, and what has come of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import limner
from conftest import SMALL
from limner.api import (
    Plan,
    RunRequest,
    configure,
    convert,
    is_first_process,
    is_run,
    new_run_folder,
    num_processes,
    outcome,
    train,
)
from limner.errors import ConfigError, LimnerError


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def plan(pictures: Path, **settings: Any) -> Plan:
    values = {**SMALL, "batch": 4, **settings}
    return configure(RunRequest(data=str(pictures), preset="stylegan2-tiny", settings=values))


def test_a_run_is_trained_and_goes_on_to_a_larger_length(picture_folder: Path, tmp_path: Path) -> None:
    folder = train(plan(picture_folder), tmp_path / "run", device="cpu", quiet=True, command="limner train")
    assert folder == tmp_path / "run"
    assert is_run(folder)
    first = outcome(folder)
    assert first.kimg == pytest.approx(0.016)
    assert first.results["pictures"] == folder / "samples" / "000000.016.png"
    assert "report" not in first.results
    assert (folder / "command.txt").read_text() == "limner train\n"
    train(plan(picture_folder, total_kimg=0.024), folder, device="cpu", quiet=True)
    assert outcome(folder).kimg == pytest.approx(0.024)
    assert len(limner.load(folder).sample([1])) == 1


def test_a_new_run_may_start_from_the_networks_of_another(tiny_run: Path, picture_folder: Path, tmp_path: Path) -> None:
    still = plan(picture_folder, **{"optimizer.g_lr": 0, "ema.kimg": 1e9})
    train(still, tmp_path / "run", device="cpu", init_from=tiny_run, quiet=True)
    before, after = (limner.load(path).sample([1])[0] for path in (tiny_run, tmp_path / "run"))
    assert before.tobytes() == after.tobytes()


def test_a_new_run_may_start_from_a_file_of_another_program(
    tiny_run: Path, picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    convert(tiny_run, tmp_path / "faces.pkl", to="nvidia")
    still = plan(picture_folder, **{"optimizer.g_lr": 0, "ema.kimg": 1e9})
    train(still, tmp_path / "run", device="cpu", init_from=tmp_path / "faces.pkl", quiet=True)
    before, after = (limner.load(path).sample([1])[0] for path in (tiny_run, tmp_path / "run"))
    assert before.tobytes() == after.tobytes()


def test_processes_are_started_with_what_they_need(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, Any]] = []

    def launch(count: int, entry: Any, *arguments: Any) -> None:
        entry, arguments = pickle.loads(pickle.dumps((entry, arguments)))  # as a started process gets them
        calls.append((count, entry(*arguments)))

    monkeypatch.setattr("limner.training.distributed.launch", launch)
    request = RunRequest(
        data=str(picture_folder), preset="stylegan2-tiny", settings={**SMALL, "batch": 4}, num_processes=2
    )
    train(configure(request), tmp_path / "run", device="cpu", quiet=True)
    assert calls == [(2, str(tmp_path / "run"))]
    assert outcome(tmp_path / "run").kimg == pytest.approx(0.016)


def test_a_device_that_is_not_there_is_said_before_anything_is_made(picture_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device: got 'gpu'"):
        train(plan(picture_folder), tmp_path / "run", device="gpu")
    assert not (tmp_path / "run").exists()


def test_run_folders_are_numbered(tmp_path: Path) -> None:
    names = [new_run_folder(tmp_path / "runs", name).name for name in ("faces-a", "my faces/é?-b", "...")]
    assert names == ["00000-faces-a", "00001-my_faces_é_-b", "00002-run"]
    (tmp_path / "runs" / "00041-other").mkdir()
    assert new_run_folder(tmp_path / "runs", "faces").name == "00042-faces"
    assert all(path.is_dir() for path in (tmp_path / "runs").iterdir())


def test_processes_of_a_launcher_must_be_given_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ConfigError, match="give the run folder itself with --out"):
        new_run_folder(tmp_path, "faces")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LimnerError, match=r"cannot make a run folder in '.*runs'"):
        new_run_folder(tmp_path / "runs", "faces")


@pytest.mark.parametrize(
    ("gpus", "nproc", "count"), [(None, None, 1), (0, None, 1), (1, None, 1), (None, 1, 1), (None, 3, 3)]
)
def test_how_many_processes(gpus: int | None, nproc: int | None, count: int) -> None:
    assert num_processes(gpus, nproc) == count


def test_every_gpu_gets_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert num_processes(4, None) == 4
    with pytest.raises(ConfigError, match="got --gpus 5, but torch sees 4 CUDA devices; on a CPU use --nproc 5"):
        num_processes(5, None)


@pytest.mark.parametrize(("gpus", "nproc"), [(-1, None), (None, 0), (None, -2), (1, 2)])
def test_numbers_of_processes_that_make_no_sense_are_refused(gpus: int | None, nproc: int | None) -> None:
    with pytest.raises(ConfigError, match="--nproc"):
        num_processes(gpus, nproc)


def test_a_launcher_decides_how_many_processes_and_who_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert num_processes(None, 8) == 3
    assert not is_first_process()


def test_a_snapshot_or_an_empty_folder_is_no_run(tiny_run: Path, tmp_path: Path) -> None:
    assert is_run(tiny_run)
    assert not is_run(tiny_run / "snapshots" / "000002")
    assert not is_run(tmp_path)


def test_a_run_that_was_never_started_has_come_to_nothing(tmp_path: Path) -> None:
    assert outcome(tmp_path).kimg == 0
    assert outcome(tmp_path).results == {}
