"""A whole study: what it writes, going on with it, and parts that are added later."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from api.study.conftest import Make
from limner.api.study import contenders, study
from limner.errors import CheckpointError

pytest.importorskip("sklearn", reason="boundaries")

NAMES = ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H7b", "H8", "H9", "H10", "H11", "H12", "H13"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_asks_every_hypothesis_and_going_on_does_nothing_twice(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, lines, told = make(), [], []
    made = study(request, device="cpu", report=lines.append, progress=lambda *c: told.append(c), command="limner study")
    assert [verdict.name for verdict in made.verdicts] == NAMES
    assert all(verdict.outcome != "not measured" for verdict in made.verdicts)
    assert told[-1][0] == told[-1][1]
    assert {path.name for path in made.tables} == {
        *("methods.csv", "pictures.csv", "paths.csv", "hypotheses.csv", "attributes.csv"),
    }
    page = made.page.read_text()
    assert "limner study" in page
    assert page.count('<img src="data:image/') == 3
    tried = {row["method"] for row in rows(request.out / "methods.csv")}
    assert set(contenders.contenders(request)) == tried

    def refuse(*args: Any) -> None:
        raise AssertionError("inverted again")

    monkeypatch.setattr(contenders, "_invert", refuse)
    before = (request.out / "methods.csv").read_text()
    study(request, device="cpu")
    assert (request.out / "methods.csv").read_text() == before


def test_parts_are_added_to_what_is_there(make: Make) -> None:
    first = study(make(parts=("reconstruct",)), device="cpu")
    outcomes = {verdict.name: verdict.outcome for verdict in first.verdicts}
    assert outcomes["H2"] != "not measured"
    assert {outcomes[name] for name in ("H11", "H12", "H13")} == {"not measured"}
    assert not (first.page.parent / "attributes.csv").exists()
    second = study(make(parts=("outside",)), device="cpu")
    outcomes = {verdict.name: verdict.outcome for verdict in second.verdicts}
    assert outcomes["H2"] != "not measured"
    assert outcomes["H13"] != "not measured"


def test_without_judge_classifier_and_labels_what_they_tell_is_not_measured(make: Make) -> None:
    made = study(make(judge=None, classifier=None, parts=("reconstruct",)), device="cpu")
    measures = {row["measure"] for row in rows(made.page.parent / "methods.csv")}
    assert "mse" in measures
    assert not measures & {"self_consistency", "agreement", "precision", "clean"}


def test_an_encoder_of_another_generator_is_refused_before_anything_is_computed(
    make: Make, conditional_run: Path
) -> None:
    with pytest.raises(CheckpointError, match="holds no encoder"):
        study(make(encoder=conditional_run), device="cpu")
    assert not make().out.exists()
