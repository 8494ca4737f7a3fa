"""The perceptual loss: its scale, what it is zero for, gradients, and kinds of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.data import open_dataset
from limner.errors import WeightsError
from limner.features import weights
from limner.papers.idinvert.perceptual import SCALES, Perceptual

CPU = torch.device("cpu")


def perceptual(name: str = "stlpips", side: int = 32) -> Perceptual:
    return Perceptual(name, (side, side), CPU)


def blurred(images: Tensor) -> Tensor:
    return F.interpolate(F.avg_pool2d(images, 4), scale_factor=4, mode="bilinear", align_corners=False)


def pictures(count: int, channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(3)) * 2 - 1


@pytest.mark.parametrize("name", ["stlpips", "lite0"])
def test_the_scaled_distance_of_reference_pairs_is_their_pixel_loss(name: str) -> None:
    dataset = open_dataset("samples")
    try:
        seen = Perceptual(name, dataset.resolution, CPU)
    except WeightsError:
        pytest.skip("the package whose weights are read is not installed")
    chosen = [dataset.image(index) for index in range(0, len(dataset), len(dataset) // 32)][:32]
    images = torch.from_numpy(np.stack(chosen)).float() / 127.5 - 1
    with torch.no_grad():
        parts = [seen.loss(seen.features(part), blurred(part)) for part in images.split(16)]
    assert torch.stack(parts).mean().item() == pytest.approx(
        (blurred(images) - images).square().mean().item(), rel=0.02
    )


@pytest.mark.usefixtures("random_features")
@pytest.mark.parametrize("name", ["stlpips", "lite0"])
def test_the_loss_is_zero_for_the_same_pictures_and_a_mean_over_others(name: str) -> None:
    seen, images, others = perceptual(name), pictures(3), pictures(3).flip(0)
    assert seen.loss(seen.features(images), images).item() == pytest.approx(0, abs=1e-6)
    together = seen.loss(seen.features(images), others)
    apart = [seen.loss(seen.features(a[None]), b[None]) for a, b in zip(images, others, strict=True)]
    assert together.item() == pytest.approx(torch.stack(apart).mean().item(), rel=1e-4)
    assert together > 0


@pytest.mark.usefixtures("random_features")
def test_the_loss_is_the_distance_of_the_network_times_the_scale() -> None:
    seen, images = perceptual(), pictures(3)
    expected = seen.network.distance(images, images.flip(0)).mean() * SCALES["stlpips"]
    assert seen.loss(seen.features(images), images.flip(0)).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.usefixtures("random_features")
def test_the_loss_of_lite0_is_the_mean_squared_difference_of_its_features() -> None:
    seen = perceptual("lite0")
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    images = pixels.float() / 127.5 - 1
    one, other = seen.network(pixels)["pool"]
    expected = (one - other).square().mean() * SCALES["lite0"]
    assert seen.loss(seen.features(images[:1]), images[1:]).item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.usefixtures("random_features")
@pytest.mark.parametrize("name", ["stlpips", "lite0"])
def test_the_gradient_points_uphill(name: str) -> None:
    seen, cached = perceptual(name), perceptual(name).features(pictures(1))
    images = (0.5 * pictures(2)[1:]).requires_grad_()
    loss = seen.loss(cached, images)
    (gradient,) = torch.autograd.grad(loss, images)
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        change = seen.loss(cached, images + step) - seen.loss(cached, images - step)
    assert (change / 2e-2).item() == pytest.approx(gradient.norm().item(), rel=0.05)


@pytest.mark.usefixtures("random_features")
def test_small_pictures_are_enlarged_by_repeating_pixels() -> None:
    small, large = pictures(2, side=12), pictures(2, side=12).repeat_interleave(3, 2).repeat_interleave(3, 3)
    for a, b in zip(perceptual(side=12).features(small), perceptual(side=36).features(large), strict=True):
        assert torch.equal(a, b)


@pytest.mark.usefixtures("random_features")
def test_grey_is_seen_as_rgb_and_transparent_on_white() -> None:
    seen, grey = perceptual(), pictures(1, channels=1)
    assert torch.equal(seen.features(grey)[0], seen.features(grey.expand(-1, 3, -1, -1))[0])
    hidden = torch.cat([pictures(1), -torch.ones(1, 1, 32, 32)], 1)
    torch.testing.assert_close(seen.features(hidden)[0], seen.features(torch.ones(1, 3, 32, 32))[0])


@pytest.mark.parametrize(("name", "others"), [("stlpips", "lite0.*none"), ("lpips", "lite0.*none"), ("lite0", "none")])
def test_missing_weights_say_what_works_without_them(monkeypatch: pytest.MonkeyPatch, name: str, others: str) -> None:
    monkeypatch.setattr(weights, "places", lambda name: [])
    with pytest.raises(WeightsError, match=rf"objective.perceptual '{name}'.*found no.*objective.perceptual={others}"):
        perceptual(name)
