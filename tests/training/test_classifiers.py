"""Runs that train a classifier: exact resuming, pictures held out, snapshots, and what they learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from limner.checkpoints.io import read_document
from limner.checkpoints.networks import load_classifier, load_encoder, load_generator
from limner.data import open_dataset
from limner.errors import CheckpointError, ConfigError
from limner.training import loop
from limner.training.estimate import estimate
from papers.classifier.labelled import NAMES, tiny, write_labelled
from training.runs import assert_same_state, run

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled(tmp_path_factory.mktemp("data") / "labelled")


@pytest.fixture(scope="session")
def finished(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 150 iterations with everything that it writes."""
    folder = tmp_path_factory.mktemp("runs") / "classifier"
    names = "log,accuracy,snapshots,curve,report"
    run(tiny(labelled, 150, callbacks__names=names, callbacks__tick_kimg=0.6, optimizer__g_lr=0.02), folder)
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("changes", [{}, {"classifier__shared": False, "augment__mode": "fixed", "augment__p": 0.5}])
def test_a_run_in_two_parts_is_the_run_in_one(labelled: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = run(tiny(labelled, 8, schedule__lr_decay_kimg=0.05, **changes), tmp_path / "whole")
    run(tiny(labelled, 4, schedule__lr_decay_kimg=0.05, **changes), tmp_path / "parts")
    parts = run(tiny(labelled, 8, schedule__lr_decay_kimg=0.05, **changes), tmp_path / "parts")
    assert_same_state(parts, whole)
    assert list(whole["modules"]) == ["C", "objective"]
    assert list(whole["optimizers"]) == ["C"]


def test_pictures_held_out_are_never_shown(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[torch.Tensor] = []
    step = loop._step

    def spy(run: Any, phase: Any, now: Any, images: torch.Tensor, c: Any) -> None:
        shown.extend(images)
        step(run, phase, now, images, c)

    monkeypatch.setattr(loop, "_step", spy)
    config = tiny(labelled, 15)
    run(config, tmp_path / "run")
    kept, held_out = open_dataset(labelled).split(0.2, config.seed)
    assert (len(kept), len(held_out)) == (48, 12)
    seen = {image.numpy().tobytes() for image in shown}

    def pictures(dataset: Any) -> set[bytes]:
        images = (torch.from_numpy(dataset.image(i)).float() / 127.5 - 1 for i in range(len(dataset)))
        return {image.numpy().tobytes() for image in images}

    assert seen == pictures(kept)
    assert not seen & pictures(held_out)


def test_it_learns_what_pictures_show(finished: Path) -> None:
    assert records(finished)[-1]["metrics"]["accuracy"] > 0.85


def test_accuracies_are_kept_with_the_snapshot(finished: Path) -> None:
    first, last = records(finished)
    names = {"accuracy", "balanced_accuracy", *(f"accuracy/{name}" for name in NAMES)}
    assert set(last["metrics"]) == names
    assert (first["kimg"], last["kimg"]) == (0.6, 1.2)
    folder = finished / "snapshots" / "000001"
    assert json.loads((folder / "metrics.json").read_text()) == last["metrics"]
    assert [path.name for path in folder.glob("*.safetensors")] == ["classifier.safetensors"]


def test_a_snapshot_gives_the_classifier_back(finished: Path, labelled: Path) -> None:
    C = load_classifier(finished)
    assert C.attributes == NAMES
    assert not C.training
    assert not any(parameter.requires_grad for parameter in C.parameters())
    dataset = open_dataset(labelled).split(0.2, 0)[1]
    pixels = torch.stack([torch.from_numpy(dataset.image(i)) for i in range(len(dataset))])
    has = torch.stack([torch.from_numpy(dataset.label(i)) for i in range(len(dataset))]) > 0
    right = ((C(pixels.float() / 127.5 - 1) > 0) == has).float().mean()
    assert float(right) == pytest.approx(records(finished)[-1]["metrics"]["accuracy"])
    assert len(read_document(finished / "snapshots" / "000001")["fingerprint"]) == 16


def test_the_report_shows_each_attribute(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "parameters of C" in page
    assert "Accuracy by attribute, 1 to 3" in page
    assert all(f"accuracy/{name}" in page for name in NAMES)
    assert (finished / "curves.png").stat().st_size > 1000


def test_a_classifier_is_no_generator_and_no_encoder(finished: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no generator, but a classifier of 3 attributes.*--classifier"):
        load_generator(finished)
    with pytest.raises(CheckpointError, match="holds no encoder, but classifier"):
        load_encoder(finished)


def test_a_generator_is_no_classifier(tiny_run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no classifier, but discriminator, generator.*classifier-tiny"):
        load_classifier(tiny_run)


def test_a_classifier_starts_from_another(finished: Path, labelled: Path, tmp_path: Path) -> None:
    config = tiny(labelled, 1, optimizer__g_lr=0.0, callbacks__names="snapshots")
    loop.train(config, tmp_path / "run", device=CPU, init_from=finished, quiet=True)
    before, after = load_classifier(finished).state_dict(), load_classifier(tmp_path / "run").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_is_estimated(labelled: Path) -> None:
    result = estimate(tiny(labelled, 1), CPU, steps=1)
    assert list(result.phase_sec) == ["C"]
    assert list(result.num_parameters) == ["C"]


@pytest.mark.parametrize(("name", "message"), [("samples", "with a generator.*'accuracy'"), ("reconstructions", "")])
def test_grids_of_other_runs_are_refused(labelled: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"callbacks\.names: '{name}' is for runs.*{message}"):
        run(tiny(labelled, 1, callbacks__names=name), tmp_path / "run")
