"""`limner figures`."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Command
from limner.api.figures import names


def test_figures_are_counted_and_those_that_do_not_apply_say_why(
    command: Command, tiny_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "figures"
    answer = command("figures", tiny_run, "--which", "growth,truncation,nearest", "--trunc", 0.7, "--out", out)
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "no growth: it needs at least two sample grids, and the run has 0",
        "no nearest: it needs the training pictures; give them as data (--data)",
        f"1 figures on {out / 'figures.html'}",
    ]
    assert {path.name for path in out.iterdir()} == {"truncation.png", "figures.html", "command.txt"}


def test_quiet_prints_nothing(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    answer = command("figures", f"--network={tiny_run}", "--which=truncation", f"--outdir={tmp_path}", "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_class_is_passed_on(command: Command, conditional_run: Path, tmp_path: Path) -> None:
    words = ["figures", conditional_run, "--which", "droplets", "--out", tmp_path]
    assert command(*words, "--class", 1).code == 0
    assert "this generator is conditional" in command(*words).err


def test_the_help_names_every_figure(command: Command) -> None:
    text = " ".join(command("figures", "--help").out.replace("│", " ").split())
    assert ", ".join(names()) in text


def test_an_unknown_figure_is_one_line(command: Command, tiny_run: Path, tmp_path: Path) -> None:
    answer = command("figures", tiny_run, "--which", "mixin", "--out", tmp_path)
    assert answer.code == 1
    assert "Did you mean 'mixing'?" in answer.err.splitlines()[-1]
