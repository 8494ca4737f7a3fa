"""`limner study inversion`: from the command line to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Command
from conftest import write_pictures
from inversion.runs import write_encoder


def test_a_study_ends_with_what_became_of_every_hypothesis(
    command: Command, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.study.conftest import Colours

    monkeypatch.setattr("limner.features.lite0.load", lambda weights=None, device="cpu": Colours())
    encoders = [write_encoder(tmp_path / name, tiny_run, seed=seed) for seed, name in enumerate(("guided", "plain"))]
    words = [
        *("study", "inversion", tiny_run, "--data", write_pictures(tmp_path / "photos", 4), "--out", tmp_path / "out"),
        *("--encoder", encoders[0], "--conventional", encoders[1], "--num", 4, "--subset", 2, "--steps", 2),
        *("--perceptual", "none", "--parts", "reconstruct", "--device", "cpu"),
    ]
    answer = command(*words)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["H1", "H2", "H3"]
    assert lines[-1].startswith(str(tmp_path / "out" / "study.html"))
    assert "held-out-in-domain: 4 pictures, mse" in answer.err


def test_without_encoders_the_command_line_says_which_flag_is_missing(command: Command, tiny_run: Path) -> None:
    answer = command("study", "inversion", tiny_run, "--data", "photos")
    assert answer.code == 2
    assert "--encoder" in answer.err


def test_a_generator_is_no_encoder(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 3)
    answer = command(
        *("study", "inversion", tiny_run, "--data", photos, "--encoder", tiny_run, "--conventional", tiny_run)
    )
    assert answer.code == 1
    assert "holds no encoder" in answer.err
