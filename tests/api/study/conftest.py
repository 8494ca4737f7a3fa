"""A study in miniature: networks with random weights at 16 pixels, labelled pictures, and features that are colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from api.test_classifying import write_classifier
from inversion.runs import write_encoder
from limner.api.study import StudyRequest, measures, measuring, running
from limner.api.study.bench import Bench, open_bench
from papers.classifier.labelled import write_labelled

Make = Callable[..., StudyRequest]


class Colours:
    """A feature network whose features are the colours of nine pixels."""

    name, sha256, resize = "colours", "random", "none"

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {"pool": images[:, :, ::6, ::6].flatten(1).float()}


@pytest.fixture(scope="session")
def material(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Encoders, a classifier and labelled pictures for the run at 16 pixels."""
    folder = tmp_path_factory.mktemp("study")
    return {
        "checkpoint": tiny_run,
        "encoder": write_encoder(folder / "guided", tiny_run),
        "conventional": write_encoder(folder / "conventional", tiny_run, seed=4),
        "judge": write_encoder(folder / "judge", tiny_run, seed=5),
        "classifier": write_classifier(folder / "classifier"),
        "data": write_labelled(folder / "labelled", 24),
    }


@pytest.fixture
def make(material: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return requests of a moment's work, with changes."""
    monkeypatch.setattr("limner.features.lite0.load", lambda weights=None, device="cpu": Colours())
    monkeypatch.setattr(running, "SEPARABILITY_PICTURES", 200)
    monkeypatch.setattr(running, "SEPARABILITY_SEEDS", 2)
    monkeypatch.setattr(measuring, "SWD_RESAMPLES", 3)
    monkeypatch.setattr(measuring, "FD_RESAMPLES", 20)
    monkeypatch.setattr(measuring, "PRECISION_RESAMPLES", 10)
    monkeypatch.setattr(measures, "NUM_CODES", 2000)
    small = {"num": 12, "subset": 6, "steps": 3, "long_steps": 5, "batch": 4, "num_samples": 200, "perceptual": "none"}

    def request(**changes: Any) -> StudyRequest:
        return StudyRequest(**{**material, "out": tmp_path / "study", **small, **changes})

    return request


@pytest.fixture
def bench(make: Make) -> Bench:
    torch.set_num_threads(1)
    return open_bench(make(), "cpu")
