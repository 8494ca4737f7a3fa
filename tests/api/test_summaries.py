"""What `info` says about data, runs and snapshots."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from limner.api import convert, info
from limner.checkpoints.io import write_document
from limner.config import run_config_from_dict
from limner.errors import CheckpointError, DataError


def test_data_are_counted_and_shown(class_folder: Path, tmp_path: Path) -> None:
    about = info(class_folder, sheet=tmp_path / "sheet.png")
    assert (about["kind"], about["count"], about["sizes"]) == ("data", 12, [[16, 16, 12]])
    assert about["labels"]["counts"] == {"cat": 4, "dog": 4, "owl": 4}
    with Image.open(about["sheet"]) as sheet:
        assert sheet.width > 128


def test_without_a_sheet_nothing_is_written(picture_folder: Path) -> None:
    assert "sheet" not in info(picture_folder)


def test_a_run_tells_its_newest_snapshot(tiny_run: Path) -> None:
    about = info(tiny_run)
    assert (about["kind"], about["room"], about["preset"]) == ("run", "stylegan2", "stylegan2-tiny")
    assert (about["resolution"], about["channels"], about["c_dim"]) == ([16, 16], 3, 0)
    assert about["snapshots"] == ["000002"]
    assert about["snapshot"] == str(tiny_run / "snapshots" / "000002")
    assert (about["kimg"], about["z_dim"], about["w_dim"], about["num_ws"]) == (2.0, 16, 16, 6)
    assert set(about["networks"]) == {"generator", "generator_ema", "discriminator"}
    assert len(about["fingerprint"]) == 16
    assert "1912.04958" in about["paper"]


def test_a_file_of_another_program_tells_what_it_becomes(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    convert(tiny_run, tmp_path / "faces.pkl", to="nvidia")
    about = info(tmp_path / "faces.pkl")
    assert (about["kind"], about["room"], about["resolution"]) == ("snapshot", "stylegan2", [16, 16])
    assert set(about["networks"]) == {"generator", "generator_ema", "discriminator"}


def test_a_snapshot_and_a_file_in_it_tell_the_same(tiny_run: Path) -> None:
    folder = tiny_run / "snapshots" / "000002"
    snapshot, file = info(folder), info(folder / "generator_ema.safetensors")
    assert snapshot["kind"] == file["kind"] == "snapshot"
    assert snapshot["fingerprint"] == file["fingerprint"]
    assert snapshot["size_bytes"] > 10_000


def test_metrics_of_a_snapshot_are_told(tiny_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_run / "snapshots" / "000002", tmp_path / "snapshot")
    (folder / "metrics.json").write_text(json.dumps({"swd2k": 12.5}))
    assert info(folder)["metrics"] == {"swd2k": 12.5}


def test_a_run_without_a_snapshot_says_so(tiny_run: Path, tmp_path: Path) -> None:
    config = run_config_from_dict(json.loads((tiny_run / "config.json").read_text())["config"])
    write_document(tmp_path, "run", config, {})
    about = info(tmp_path)
    assert (about["kind"], about["snapshots"]) == ("run", [])
    assert "snapshot" not in about


@pytest.mark.parametrize("name", ["generator_ema", "generator", "discriminator"])
def test_a_damaged_network_is_found(tiny_run: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny_run / "snapshots" / "000002", tmp_path / "snapshot")
    file = folder / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=f"{name}.safetensors' is damaged"):
        info(folder)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        info(tmp_path / "nothing")
