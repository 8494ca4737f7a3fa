"""`limner evaluate` and `calc-metrics`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

import limner.cli
from cli.conftest import Command
from limner.api import evaluation
from limner.cli.evaluate import evaluate, parse_weights, table
from limner.metrics.base import Result


@pytest.fixture(autouse=True)
def verb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The verb under both its names, and a cache that is thrown away."""
    monkeypatch.setitem(limner.cli.VERBS, "evaluate", ("evaluate", "calc-metrics"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def result(name: str, **values: float) -> Result:
    return Result(
        name=name,
        values={name: 12.345678, **values},
        lower_is_better=name.startswith("f"),
        seed=0,
        num_real=0 if name.startswith("is") else 70_000,
        num_generated=5_000,
        real="faces",
        generated="run",
        mirror=False,
        networks={},
        version=1,
        seconds=1.0,
    )


def test_values_are_tabled_notes_told_and_results_written(
    command: Command, tiny_run: Path, picture_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    answer = command(
        "evaluate", tiny_run, "--data", picture_folder, "--metrics", "swd, msssim_10", "--num", 10, "--json", out
    )
    assert answer.code == 0, answer.err
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["metric", "value", "better", "pictures", "real"]
    assert [line[0] for line in lines[1:]] == ["swd10", "swd10/16", "msssim_10", "msssim_10/real"]
    assert lines[1][2:] == ["lower", "10", "10"]
    assert "limner: note: the reference 'photos' has 12 pictures" in answer.err
    assert answer.err.count("has 12 pictures") == 1
    document = json.loads(out.read_text())
    assert [r["name"] for r in document["results"]] == ["swd10", "msssim_10"]
    assert document["command"].startswith(f"limner evaluate {tiny_run} --data {picture_folder}")


def test_nvidias_words_give_the_same_values(command: Command, tiny_run: Path, picture_folder: Path) -> None:
    ours = command("evaluate", tiny_run, "--data", picture_folder, "--metrics", "swd10")
    theirs = command("calc-metrics", f"--network={tiny_run}", f"--data={picture_folder}", "--metrics=swd10")
    assert ours.code == theirs.code == 0
    assert ours.out == theirs.out


def test_pictures_are_measured_as_a_generator_is(command: Command, picture_folder: Path, class_folder: Path) -> None:
    answer = command("evaluate", picture_folder, "--data", class_folder, "--metrics", "swd", "--seed", 3, "--batch", 5)
    assert answer.code == 0
    assert answer.out.splitlines()[1].split()[0] == "swd12"


def test_a_control_is_measured_or_said_to_be_impossible(command: Command, tiny_run: Path, picture_folder: Path) -> None:
    words = ("evaluate", tiny_run, "--data", picture_folder, "--metrics", "swd", "--control")
    answer = command(*words, "--num", 6)
    assert answer.code == 0
    assert answer.out.splitlines()[1].split()[0] == "swd6"
    answer = command(*words)
    assert answer.code == 0
    assert answer.out.startswith("nothing to measure: the real pictures do not make two sets")


def test_a_sheet_of_copies_is_written_on_demand(
    command: Command, tiny_run: Path, picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(evaluation, "nearest", lambda *args, **options: asked.append((*args, options["num"])))
    words = ("--data", picture_folder, "--metrics", "swd", "--num", 10, "--nearest", tmp_path / "copies.png")
    assert command("evaluate", tiny_run, *words).code == 0
    assert asked == [(str(tiny_run), str(tmp_path / "copies.png"), str(picture_folder), 10)]


def test_quiet_prints_nothing(command: Command, tiny_run: Path, picture_folder: Path) -> None:
    answer = command("evaluate", tiny_run, "--data", picture_folder, "--metrics", "swd10", "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--metrics", "swb"], "unknown metric 'swb'"),
        (["--metrics", ","], "metrics: got none"),
        (["--num", "0", "--metrics", "swd"], "got a count of 0"),
        (["--data", "nowhere", "--metrics", "swd10"], "no such folder or file: nowhere"),
        (["--metrics", "swd10"], "faces.zip"),
        (["--weights", "file.pth"], "weights: got 'file.pth', expected the name of a network and a file"),
    ],
)
def test_bad_input_is_one_sentence(command: Command, tiny_run: Path, words: list[str], sentence: str) -> None:
    answer = command("evaluate", tiny_run, *words, "-q")
    assert answer.code == 1
    assert sentence in answer.err
    assert answer.err.count("\n") == 1


def test_weight_files_are_named_by_their_networks() -> None:
    assert parse_weights(["inception=a=b.pth", "vgg=folder"]) == {"inception": "a=b.pth", "vgg": "folder"}
    assert parse_weights([]) == {}


def test_what_is_measured_by_default_is_what_the_api_measures() -> None:
    default = inspect.signature(evaluate).parameters["metrics"].default
    assert tuple(default.split(",")) == evaluation.DEFAULT_METRICS


def test_a_table_lines_up_and_says_which_way_is_better() -> None:
    lines = table([result("fid5k_full"), result("is5k", **{"is5k/std": 0.5})])
    assert lines == [
        "metric       value  better  pictures    real",
        "fid5k_full  12.346  lower      5,000  70,000",
        "is5k        12.346  higher     5,000       -",
        "is5k/std       0.5",
    ]


def test_separability_without_a_classifier_tells_how_to_get_one(command: Command, tiny_run: Path) -> None:
    answer = command("evaluate", tiny_run, "--metrics", "ls", "--num", 8)
    assert answer.code == 1
    assert "train one with limner train --preset classifier-tiny and name its run with --classifier" in answer.err


def test_the_classifier_given_reaches_the_measurement(command: Command, tiny_run: Path) -> None:
    answer = command("evaluate", tiny_run, "--metrics", "ls", "--num", 8, "--classifier", tiny_run)
    assert answer.code == 1
    assert "holds no classifier" in answer.err
