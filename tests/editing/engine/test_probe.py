"""Linear classifiers of features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.editing.base import Direction
from limner.editing.engine.probe import Probe, fit_probe, pooled
from limner.errors import CheckpointError, ConfigError
from limner.features.base import RANDOM, FeatureNetwork

STREAM = torch.Generator().manual_seed(0)
FEATURES = torch.randn(400, 12, generator=STREAM) * torch.linspace(0.1, 10, 12) + 3
LABELS = np.stack([FEATURES[:, 0] > 3, FEATURES[:, 11] > 5], 1).astype(np.float32)


class Means(FeatureNetwork):
    """Means of each channel."""

    name, sha256, resize = "means", RANDOM, "none"
    dims = {"pool": 3}  # noqa: RUF012 - as the protocol has it

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"pool": images.float().mean((2, 3))}


def test_attributes_are_learned_and_judged_on_other_pictures() -> None:
    probe = fit_probe(FEATURES, LABELS, ["a", "b"], "lite0")
    logits = FEATURES @ probe.weight.T + probe.bias
    assert ((logits > 0).numpy() == (LABELS > 0)).mean() > 0.93
    assert min(probe.accuracy.values()) > 0.85
    shuffled = np.random.RandomState(0).permutation(LABELS)
    assert abs(fit_probe(FEATURES, shuffled, ["a", "b"], "lite0").accuracy["a"] - 0.5) < 0.2


def test_a_file_gives_back_everything(tmp_path: Path) -> None:
    probe = fit_probe(FEATURES, LABELS, ["a", "b"], "lite0")
    loaded = Probe.load(probe.save(tmp_path / "c.safetensors"))
    assert (loaded.names, loaded.network, loaded.accuracy) == (probe.names, probe.network, probe.accuracy)
    assert torch.equal(loaded.weight, probe.weight)
    assert torch.equal(loaded.bias, probe.bias)


def test_pictures_are_seen_as_bytes() -> None:
    images = torch.tensor([-1.0, 1.0])[:, None, None, None].expand(2, 3, 4, 4)
    assert pooled(Means(), images).tolist() == [[0.0] * 3, [255.0] * 3]
    probe = Probe(names=("bright",), network="means", weight=torch.ones(1, 3), bias=torch.tensor([-300.0]), accuracy={})
    assert probe.logits(Means(), images).tolist() == [[-300.0], [465.0]]


def test_one_class_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="attribute 'a': 400 of 400 pictures have it, too few on one side"):
        fit_probe(FEATURES, np.ones((400, 1)), ["a"], "lite0")
    way = Direction(name="a", space="w", vector=torch.ones(4), deviation=1.0)
    with pytest.raises(CheckpointError, match="holds 'direction', expected a classifier"):
        Probe.load(way.save(tmp_path / "a.safetensors"))
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="damaged or no classifier"):
        Probe.load(tmp_path / "b.safetensors")
