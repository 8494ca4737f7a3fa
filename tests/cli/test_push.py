"""`limner push` and `limner pull`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from checkpoints.fake_hub import install
from cli.conftest import Command


def test_a_snapshot_goes_to_the_hub_and_comes_back(
    command: Command, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = install(tmp_path / "hub", monkeypatch)
    answer = command("push", tiny_run, "ann/faces", "--private")
    assert (answer.code, answer.out) == (0, f"{tiny_run} -> https://hub.example/ann/faces\n")
    assert hub.made == {"ann/faces": True}
    answer = command("pull", "ann/faces", tmp_path / "faces")
    assert (answer.code, answer.out) == (0, f"ann/faces -> {tmp_path / 'faces'}\n")
    assert command("info", tmp_path / "faces").code == 0


def test_an_absent_library_is_one_sentence(
    command: Command, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for words in (("push", tiny_run, "ann/faces"), ("pull", "ann/faces", tmp_path / "faces")):
        answer = command(*words)
        assert (answer.code, answer.err.count("\n")) == (1, 1)
        assert "pip install 'limner[hub]'" in answer.err
