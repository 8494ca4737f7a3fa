"""`limner train`: flags, dry runs, going on, and NVIDIA's words."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.conftest import Answer, Command
from conftest import SMALL, tiny_config
from inversion.runs import write_encoder
from limner.api import Outcome
from limner.checkpoints.io import load_config
from limner.cli.train import NVIDIA_CONFIGS, closing_lines
from limner.config import flatten, with_changes
from limner.training.callbacks import log

TINY = [f"--set={path}={value}" for path, value in SMALL.items() if path != "total_kimg"]
"""Words that make a run take a moment."""

Resolve = Callable[..., dict[str, Any]]


@pytest.fixture
def resolve(command: Command, picture_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return the settings, by dotted path, that a dry run prints for some flags; nothing is measured."""
    monkeypatch.setattr("limner.api.forecast", lambda plan, device: ["not measured"])

    def run(*words: object) -> dict[str, Any]:
        answer = command("train", "--data", picture_folder, *words, "--dry-run")
        assert answer.code == 0, answer.err
        return dict(flatten(yaml.safe_load(answer.out)))

    return run


def test_a_classifier_is_told_what_to_learn(
    command: Command, class_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.api.forecast", lambda plan, device: ["not measured"])
    words = ("train", "--data", class_folder, "--preset", "classifier-tiny", "--dry-run", "--attributes")
    settings = dict(flatten(yaml.safe_load(command(*words, "owl, cat").out)))
    assert (settings["classifier.attributes.cat"], settings["classifier.attributes.owl"]) == (0, 2)
    assert "classifier.attributes.dog" not in settings
    answer = command(*words, "cats")
    assert answer.code == 1
    assert "attributes: got 'cats', the pictures are labelled with cat, dog, owl. Did you mean 'cat'?" in answer.err


@pytest.fixture
def train(command: Command, picture_folder: Path) -> Callable[..., Answer]:
    """Train for a moment."""

    def run(*words: object) -> Answer:
        return command("train", "--data", picture_folder, "--preset", "stylegan2-tiny", "--batch", 8, *TINY, *words)

    return run


def test_an_encoder_is_asked_for_by_its_generator(resolve: Resolve, tiny_run: Path) -> None:
    settings = resolve("--preset", "idinvert-tiny", "--generator", tiny_run)
    assert settings["generator_from.room"] == "stylegan2"
    assert settings["generator_from.path"] == str(tiny_run / "snapshots" / "000002")
    assert settings["encoder.num_ws"] == 6


def test_an_encoder_without_a_generator_is_told_the_flag(command: Command, picture_folder: Path) -> None:
    answer = command("train", "--data", picture_folder, "--preset", "idinvert-tiny", "--dry-run")
    assert answer.code == 1
    assert "got none; name one with --generator" in answer.err


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        (["--kimg", "7.5"], "total_kimg", 7.5),
        (["--batch", "8"], "batch", 8),
        (["--batch-gpu", "4"], "batch_gpu", 4),
        (["--seed", "3"], "seed", 3),
        (["--gamma", "2"], "objective.r1_gamma", 2.0),
        (["--mirror"], "data.mirror", True),
        (["--mirror=1"], "data.mirror", True),
        (["--mirror=0"], "data.mirror", False),
        (["--subset", "6"], "data.subset", 6),
        (["--workers", "5"], "data.workers", 5),
        (["--resolution", "8"], "generator.img_resolution", [8, 8]),
        (["--channels", "1"], "discriminator.img_channels", 1),
        (["--snap", "9"], "callbacks.snap", 9),
        (["--tick", "2"], "callbacks.tick_kimg", 2.0),
        (["--metrics", "swd2k,swd"], "callbacks.metrics", ["swd2k", "swd"]),
        (["--metrics=none"], "callbacks.metrics", []),
        (["--augment", "ada"], "augment.mode", "ada"),
        (["--aug=noaug"], "augment.mode", "none"),
        (["--augment", "diffaugment"], "augment.mode", "diffaugment"),
        (["--aug=fixed", "--p=0.2"], "augment.p", 0.2),
        (["--target", "0.7"], "augment.target", 0.7),
        (["--augpipe", "bgcfnc"], "augment.pipe", "bgcfnc"),
        (["--set", "objective.pl_weight=1e-1"], "objective.pl_weight", 0.1),
        (["--set=callbacks.names=log,report"], "callbacks.names", ["log", "report"]),
        (["--gamma", "2", "--set", "objective.r1_gamma=3"], "objective.r1_gamma", 3.0),
    ],
)
def test_a_flag_is_a_setting(resolve: Resolve, words: list[str], path: str, value: Any) -> None:
    assert resolve("--preset", "stylegan2-tiny", *words)[path] == value


@pytest.mark.parametrize(("theirs", "ours"), NVIDIA_CONFIGS.items())
def test_nvidias_configurations_are_presets_of_ours(resolve: Resolve, theirs: str, ours: str) -> None:
    assert resolve(f"--cfg={theirs}")["preset"] == ours


def test_auto_is_what_is_trained_when_nothing_is_said(resolve: Resolve) -> None:
    assert resolve()["preset"] == "stylegan2-ada-auto"


def test_labels_are_used_when_asked(command: Command, class_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.api.forecast", lambda plan, device: [])
    answer = command("train", "--data", class_folder, "--cond", "-n")
    assert yaml.safe_load(answer.out)["generator"]["c_dim"] == 3


def test_a_dry_run_prints_a_file_that_gives_the_same_run(
    command: Command, picture_folder: Path, tmp_path: Path
) -> None:
    first = command("train", "--data", picture_folder, "--preset", "stylegan2-tiny", "--batch", 4, *TINY, "-n")
    assert first.code == 0
    comments = [line for line in first.out.splitlines() if line.startswith("#")]
    for word in ("limner train", "differ from preset stylegan2-tiny", "parameters: G", "per kimg", "memory:"):
        assert any(word in line for line in comments), word
    file = tmp_path / "run.yaml"
    file.write_text(first.out)
    second = command("train", "--config", file, "--dry-run")
    assert second.code == 0
    assert yaml.safe_load(second.out) == yaml.safe_load(first.out)
    changed = command("train", "--config", file, "--kimg", 3, "-n")
    assert yaml.safe_load(changed.out) == {**yaml.safe_load(first.out), "total_kimg": 3.0}


def test_a_dry_run_makes_nothing(resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    resolve("--out", tmp_path / "run")
    resolve()
    assert not list(tmp_path.iterdir())


def test_running_it_again_goes_on_and_a_larger_length_extends(train: Callable[..., Answer], tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = train("--out", out, "--kimg", 0.016)
    assert first.code == 0
    assert first.out.splitlines()[0] == "0.016 kimg done; a larger --kimg extends the run"
    assert f"limner generate {out} --seeds 0-35 --grid" in first.out
    again = train("--out", out, "--kimg", 0.016)
    assert again.out.startswith("nothing to do: 0.016 kimg were done before")
    assert f"going on with the run in {out}, at 0.016 kimg" in again.err
    longer = train("--out", out, "--kimg", 0.024)
    assert longer.out.startswith("0.024 kimg done")
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [record["kimg"] for record in records] == [0.008, 0.016, 0.024]
    assert (out / "command.txt").read_text().count("limner train --data") == 3


def test_a_run_goes_on_by_its_folder_alone(command: Command, train: Callable[..., Answer], tmp_path: Path) -> None:
    train("--out", tmp_path / "run", "--kimg", 0.008)
    for word, kimg in (("--out", 0.016), ("--resume", 0.024)):
        answer = command("train", word, tmp_path / "run", "--kimg", kimg)
        assert (answer.code, answer.out.splitlines()[0]) == (0, f"{kimg} kimg done; a larger --kimg extends the run")
    both = command("train", "--resume", tmp_path / "run", "--out", tmp_path / "other")
    assert both.code == 1
    assert "drop --out, or start a new run from its networks with --init-from" in both.err


def test_a_new_run_gets_a_numbered_folder(train: Callable[..., Answer], tmp_path: Path) -> None:
    for number in (0, 1):
        answer = train(f"--outdir={tmp_path}", "--kimg", 0.008)
        folder = tmp_path / f"{number:05d}-photos-stylegan2-tiny"
        assert folder.is_dir()
        assert f"new run in {folder}; go on with it later: limner train --out {folder}" in answer.err


def test_resuming_from_a_snapshot_is_fine_tuning_and_says_so(
    train: Callable[..., Answer], tiny_run: Path, tmp_path: Path
) -> None:
    snapshot = tiny_run / "snapshots" / "000002"
    answer = train("--resume", snapshot, "--out", tmp_path / "run", "--kimg", 0.008)
    assert answer.code == 0
    assert f"fine-tuning: a new run starts from the networks of {snapshot}" in answer.err
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert config["augment"]["speed_kimg"] == 100
    both = train("--resume", snapshot, "--init-from", snapshot)
    assert both.code == 1
    assert "got --resume and --init-from" in both.err


def test_quiet_prints_nothing(train: Callable[..., Answer], tmp_path: Path) -> None:
    answer = train("--out", tmp_path / "run", "--kimg", 0.008, "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_only_the_first_of_launched_processes_talks(
    train: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.api.train", lambda *_, **__: None)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = train("--out", tmp_path / "run")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_the_end_of_a_run_says_how_far_it_is_and_what_to_look_at() -> None:
    config = with_changes(tiny_config("faces"), {"total_kimg": 10})
    results = {"report": Path("r/report.html")}
    stopped = closing_lines(Outcome(kimg=3, results=results), 1, config, "my run")
    assert stopped[0] == "stopped at 3 of 10 kimg; run the same command again to go on"
    assert stopped[1].split() == ["report", "r/report.html"]
    assert stopped[2].endswith(" limner generate 'my run' --seeds 0-35 --grid")
    assert closing_lines(Outcome(kimg=10, results={}), 10, config, "r")[0].startswith("nothing to do: 10 kimg were")
    assert closing_lines(Outcome(kimg=10, results={}), 3, config, "r")[0].startswith("10 kimg done")
    classes = closing_lines(Outcome(kimg=1, results={}), 0, tiny_config("classes", c_dim=3), "r")
    assert classes[-1].endswith(" limner generate r --seeds 0-35 --grid --class 0")


def test_the_end_of_an_encoders_run_says_how_to_invert_with_it(tiny_run: Path, tmp_path: Path) -> None:
    config = load_config(write_encoder(tmp_path / "encoder", tiny_run))
    lines = closing_lines(Outcome(kimg=10, results={}), 3, config, "runs/encoder")
    assert lines[-1].endswith(" limner invert runs/encoder PICTURES --method in-domain")


def test_ctrl_c_saves_and_the_same_command_goes_on(
    train: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--out", tmp_path / "run", "--kimg", 1000]
    on_start = log.Log.on_start

    def interrupted(self: log.Log, state: Any) -> None:
        on_start(self, state)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(log.Log, "on_start", interrupted)
    first = train(*words)
    assert first.code == 0
    assert first.out.startswith("stopped at 0.008 of 1000 kimg; run the same command again to go on")
    again = train(*words)
    assert f"going on with the run in {tmp_path / 'run'}, at 0.008 kimg" in again.err
    assert again.out.startswith("stopped at 0.016 of 1000 kimg")
