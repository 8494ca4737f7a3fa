"""Training the runs of a ladder, stopping and going on, and keeping failures as results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from limner.api.ladder import LadderRequest, climb, climbing, plan_rungs
from limner.api.ladder.planning import PlannedRun
from limner.errors import NonFiniteError
from training.runs import write_pictures

RUNGS = ("stylegan-config-b", "stylegan-config-f")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_pictures(tmp_path_factory.mktemp("ladder") / "discs"))


def runs(data: str, out: Path, **changes: Any) -> list[PlannedRun]:
    small = {
        **{f"generator.{name}": 8 for name in ("channel_max", "z_dim", "w_dim")},
        "discriminator.channel_max": 8,
        "callbacks.names": "log,evaluate,samples",
    }
    request = {"name": "stylegan", "rungs": RUNGS, "kimg": 0.08, "batch": 8, "evaluations": 2}
    return plan_rungs(
        LadderRequest(data=data, out=out, settings=small, metrics=("swd20",), **{**request, **changes})  # type: ignore[arg-type]
    )


def test_every_rung_is_trained_measured_and_reported(data: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    lines: list[str] = []
    results = climb(runs(data, tmp_path), device="cpu", report=lines.append)
    assert [result.rung.preset for result in results] == list(RUNGS)
    for result in results:
        assert result.kimg == 0.08
        assert [kimg for kimg, _ in result.curve] == [0.04, 0.08]
        assert result.score == result.metrics["swd20"] == result.curve[-1][1] > 0
        assert result.control is not None
        assert result.seconds > 0
    assert lines[0] == "1/2 B: + tuning, bilinear up and down, seed 0"
    assert "swd20" in lines[1]


def test_a_finished_rung_is_not_trained_again(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = climb(runs(data, tmp_path, rungs=RUNGS[1:]), device="cpu", report=lambda line: None)
    monkeypatch.setattr(climbing, "train", lambda *_, **__: pytest.fail("trained again"))
    after = climb(runs(data, tmp_path, rungs=RUNGS[1:]), device="cpu", report=lambda line: None)
    assert after == before


def test_a_run_whose_gradients_explode_is_a_result_too(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise NonFiniteError("phase D: got a gradient that is not finite")

    monkeypatch.setattr(climbing, "train", explode)
    lines: list[str] = []
    (result, _) = climb(runs(data, tmp_path), device="cpu", report=lines.append)
    assert result.score is None
    assert result.failure == "phase D: got a gradient that is not finite"
    assert "failed after 0 kimg" in lines[1]
