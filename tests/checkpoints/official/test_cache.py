"""Files of other programs used in place."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from limner.checkpoints.networks import load_generator
from limner.checkpoints.official import cache
from limner.errors import CheckpointError
from papers.stylegan2.published_maps_community import rosinality_generator


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_torch(tmp_path / "x.pt", {"g_ema": rosinality_generator(0), "latent_avg": torch.zeros(7)})


def test_a_file_is_converted_once_and_by_its_content(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.as_snapshot(foreign)
    assert load_generator(first).img_resolution == (16, 16)
    renamed = foreign.rename(foreign.with_name("y.pth"))
    monkeypatch.setattr(cache, "convert", None)  # a second conversion would call it
    assert cache.as_snapshot(renamed) == first


def test_another_content_is_another_snapshot(foreign: Path) -> None:
    first = cache.as_snapshot(foreign)
    write_torch(foreign, {"g_ema": rosinality_generator(1), "latent_avg": torch.zeros(7)})
    second = cache.as_snapshot(foreign)
    assert first != second
    assert sorted(cache.cache_folder().iterdir()) == sorted([first, second])


def test_only_files_with_an_ending_of_another_program_are_foreign(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.pkl").mkdir()
    (tmp_path / "notes.txt").write_text("")
    assert cache.is_foreign(foreign)
    assert not any(cache.is_foreign(tmp_path / name) for name in ("folder.pkl", "notes.txt", "missing.pkl"))


def test_a_dangerous_file_leaves_no_snapshot(foreign: Path) -> None:
    foreign.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(CheckpointError, match=r"asks for os\.system"):
        cache.as_snapshot(foreign)
    assert not cache.cache_folder().exists()


def test_a_missing_file_is_said(foreign: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        cache.as_snapshot(foreign.with_name("missing.pkl"))
