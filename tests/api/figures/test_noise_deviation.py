"""The deviation over draws of the noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import noise_deviation


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_deviation, "NUM_DRAWS", 12)


def silence(G: torch.nn.Module) -> None:
    """Set every noise strength to zero."""
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.zero_()


@pytest.mark.parametrize("preset", ["stylegan-tiny", "stylegan2-tiny"])
def test_without_strength_noise_changes_nothing_at_all(context: Contexts, preset: str) -> None:
    G = network(preset, use_noise=True)
    silence(G)
    asked = context(G)
    noise_deviation.draw(asked)
    cells, captions = asked.tables["noise-deviation"]
    assert captions["columns"][-1] == "deviation x 4"
    assert [row[-1] for row in captions["captions"]] == ["mean 0, max 0"] * 2
    assert all(not pixels(row[-1]).any() for row in cells)
    assert all(np.array_equal(pixels(row[1]), pixels(row[4])) for row in cells)


def test_with_strength_crops_differ_and_the_map_is_bright(context: Contexts) -> None:
    asked = context(network("stylegan2-tiny", use_noise=True))
    assert noise_deviation.draw(asked) == [asked.out / "noise-deviation.png"]
    for row in asked.tables["noise-deviation"][0]:
        picture, *crops, deviations = row
        assert pixels(picture).shape == (16, 16, 3)
        assert len({pixels(crop).tobytes() for crop in crops}) == noise_deviation.NUM_CROPS
        assert pixels(crops[0]).shape == (4, 4, 3)
        assert pixels(deviations).max() > 0.25 * 255 / 2


def test_the_deviation_is_that_of_numpy_as_a_share_of_the_range() -> None:
    images = torch.rand(7, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = np.sqrt((images.numpy() / 2).var(axis=0).mean(axis=0))
    assert np.allclose(noise_deviation.deviation(images).numpy(), expected, atol=1e-6)
    assert not noise_deviation.deviation([images[0]] * 5).any()


@pytest.mark.parametrize(("largest", "factor"), [(0.0, 4), (0.5, 4), (0.0625, 4), (0.06, 8), (0.01, 32)])
def test_a_dark_map_is_brightened_by_powers_of_two(largest: float, factor: int) -> None:
    assert noise_deviation.brightening(largest) == factor


def test_a_network_without_noise_is_told_so(context: Contexts) -> None:
    assert noise_deviation.draw(context(network("progan-tiny"))) == "this generator takes no noise"
