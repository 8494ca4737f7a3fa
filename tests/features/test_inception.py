"""Inception against torch-fidelity's with the same random weights, and what it promises about its outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from features.plain import Oracle, pictures
from limner.errors import WeightsError
from limner.features import inception
from limner.features.base import RANDOM

SEED = 5


@pytest.fixture(scope="module")
def network() -> inception.Inception:
    return inception.random(SEED)


def test_features_equal_torch_fidelitys_with_the_same_weights(
    oracle: Oracle, network: inception.Inception, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = oracle("torch_fidelity", "feature_extractor_inceptionv3")
    monkeypatch.setattr(module, "load_state_dict_from_url", lambda *_, **__: inception.random_state(SEED))
    theirs = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], verbose=False)
    middle: list[Tensor] = []
    theirs.Mixed_6d.branch1x1.register_forward_hook(lambda _module, _inputs, output: middle.append(output))
    images = pictures(2, 64, 48)
    ours, (pool, logits) = network(images), theirs(images)
    torch.testing.assert_close(ours["pool"], pool, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours["logits_unbiased"], logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours["spatial"], middle[0][:, :7].flatten(1), atol=1e-5, rtol=1e-4)
    assert pool.std(0).mean() > 1e-3  # the two pictures differ, so that equality says something


def test_outputs_have_the_lengths_and_the_type_that_are_promised(network: inception.Inception) -> None:
    features = network(pictures(1, 299, 299))
    assert {name: tuple(value.shape) for name, value in features.items()} == {
        "pool": (1, 2048),
        "logits_unbiased": (1, 1008),
        "spatial": (1, 2023),
    }
    assert dict(network.dims) == {name: value.shape[1] for name, value in features.items()}
    assert all(value.dtype == torch.float32 and not value.requires_grad for value in features.values())


def test_names_and_shapes_of_the_weight_file_are_torch_fidelitys() -> None:
    """566 tensors with 23,850,960 parameters (facts of the published file)."""
    state = inception.random_state(SEED)
    assert len(state) == 566
    parameters = [value for name, value in state.items() if ".running_" not in name and "num_batches" not in name]
    assert sum(value.numel() for value in parameters) == 23_850_960


def test_random_weights_are_stamped_as_random(network: inception.Inception) -> None:
    assert (network.name, network.sha256) == ("inception", RANDOM)


def test_a_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"fc.bias": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="damaged or another file"):
        inception.load(weights=tmp_path / "other.pth")
