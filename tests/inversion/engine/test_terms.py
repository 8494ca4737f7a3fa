"""The terms of a comparison, the calibration of their scale, and the choice of a network."""

from __future__ import annotations

import pytest
import torch

from inversion.conftest import LinearGenerator, MeansNetwork
from limner.errors import ConfigError, WeightsError
from limner.features import stlpips
from limner.inversion.engine import terms
from limner.inversion.engine.terms import Comparison, calibration, fitted, load_network


def pictures(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def test_the_pixel_term_is_the_mean_squared_error() -> None:
    a, b = pictures(4, 3, 4, 6).chunk(2)
    assert torch.allclose(Comparison(b, None, None)(a)["pixel"], (a - b).square().flatten(1).mean(1))


def test_a_masked_term_is_a_mean_over_what_counts() -> None:
    a, b = pictures(2, 3, 4, 6).chunk(2)
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    mask[..., 2:, 3:] = 1.0
    inside = (a - b)[..., 2:, 3:].square().mean()
    assert torch.allclose(Comparison(b, mask, None)(a)["pixel"], inside)


def test_a_soft_mask_weighs_squared_errors() -> None:
    a, b = pictures(2, 3, 4, 6).chunk(2)
    mask = torch.rand(1, 1, 4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = (mask * (a - b).square()).mean() / mask.mean()
    assert torch.allclose(Comparison(b, mask, None)(a)["pixel"], expected)


def test_the_gradient_outside_a_mask_is_zero() -> None:
    images = pictures(1, 3, 4, 6).requires_grad_()
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    mask[..., :2] = 1.0
    found = Comparison(torch.zeros(1, 3, 4, 6).double(), mask, MeansNetwork())(images)
    sum(term.sum() for term in found.values()).backward()
    assert torch.equal(images.grad[..., 2:], torch.zeros(1, 3, 4, 4).double())
    assert images.grad[..., :2].abs().min() > 0


def test_calibration_makes_both_terms_alike_on_unlike_pictures(linear: LinearGenerator) -> None:
    network = MeansNetwork()
    images = torch.cat([linear.synthesis(linear.seed_to_ws(seed)) for seed in range(16)]).detach()
    found = Comparison(images[8:], None, network, scale=calibration(network, linear))(images[:8])
    assert torch.allclose(found["pixel"].mean(), found["perceptual"].mean())


def test_a_generator_of_one_picture_cannot_be_calibrated_on(linear: LinearGenerator) -> None:
    linear.weight.data.zero_()
    with pytest.raises(ConfigError, match="'means' finds no difference between the pictures of seeds 0 to 15"):
        calibration(MeansNetwork(), linear)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 8, 20), (32, 80)),
        ((1, 3, 32, 48), (32, 48)),
        ((1, 4, 512, 256), (256, 128)),
        ((1, 3, 300, 40), (300, 40)),
    ],
)
def test_pictures_are_rgb_of_a_size_that_suits(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert fitted(pictures(*shape)).shape == (1, 3, *expected)


def test_enlarging_repeats_pixels() -> None:
    image = pictures(1, 3, 16, 16)
    assert torch.equal(fitted(image)[..., ::2, 1::2], image)


def test_the_first_network_that_is_here_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise WeightsError("weights 'vgg16': found none")

    monkeypatch.setattr("limner.features.lpips.load", missing)
    monkeypatch.setattr("limner.features.stlpips.load", lambda device: stlpips.random(0))
    assert load_network("auto", "cpu").name == "stlpips"
    with pytest.raises(WeightsError, match="vgg16"):
        load_network("lpips", "cpu")
    assert load_network("none", "cpu") is None
    with pytest.raises(
        ConfigError, match=r"got 'lpip', expected one of auto, lpips, stlpips, none\. Did you mean 'lpips'"
    ):
        load_network("lpip", "cpu")


def test_the_stamp_tells_network_and_scale() -> None:
    assert terms.stamp(None, 1.0) == {"network": "none"}
    assert terms.stamp(MeansNetwork(), 2.5) == {"network": "means", "sha256": "none", "scale": 2.5}


def test_a_real_network_lets_gradients_through() -> None:
    images = pictures(1, 3, 16, 16).float().requires_grad_()
    network = stlpips.random(0)
    Comparison(torch.zeros(1, 3, 16, 16), None, network)(images)["perceptual"].sum().backward()
    assert images.grad.abs().sum() > 0
