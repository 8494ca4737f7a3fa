"""`limner interpolate` and `gen-video`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Command


def test_a_walk_is_written_and_named(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "walk.gif"
    answer = command(
        "interpolate", tiny_run, "--seeds", "1,2", "--out", path, "--space", "z", "--mode", "slerp", "--frames", 2
    )
    assert (answer.code, answer.out) == (0, f"{path}\n")
    assert path.stat().st_size > 100


def test_nvidias_words_work(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "lerp.webp"
    words = [f"--network={tiny_run}", "--seeds=0-2", "--w-frames=2", f"--output={path}", "--trunc=0.7"]
    assert command("gen-video", *words).code == 0
    assert path.is_file()


def test_without_the_extra_an_mp4_becomes_a_webp_with_a_remark(
    command: Command, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.images._has_av", lambda: False)
    answer = command("interpolate", tiny_run, "--seeds", "1,2", "--frames", 2, "--out", tmp_path / "walk.mp4")
    assert answer.out == f"{tmp_path / 'walk.webp'}\n"
    assert "PyAV is not installed" in answer.err
