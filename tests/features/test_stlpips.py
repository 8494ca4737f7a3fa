"""ST-LPIPS against the package `stlpips-pytorch`, and its tolerance of shifts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from features.plain import Oracle, pictures
from limner.errors import ShapeError, WeightsError
from limner.features import lpips, stlpips
from limner.features.weights import FILES, locate, read_state


@pytest.fixture(scope="module")
def network() -> lpips.LearnedDistance:
    try:
        return stlpips.load()
    except WeightsError:
        pytest.skip("the package stlpips-pytorch, whose weights are read, is not installed")


def test_distances_equal_those_of_the_package(network: lpips.LearnedDistance, oracle: Oracle) -> None:
    module = oracle("stlpips_pytorch", "stlpips")
    with torch.device("meta"):
        theirs = module.LPIPS(net="vgg", variant="shift_tolerant", pretrained=False, verbose=False)
    theirs.load_state_dict(read_state(locate("stlpips").path), strict=False, assign=True)
    images = pictures(4, 37, 50) / 127.5 - 1
    with torch.no_grad():
        expected = theirs(images[:2], images[2:]).flatten()
    torch.testing.assert_close(network.distance(images[:2], images[2:]), expected, atol=1e-6, rtol=1e-4)


def test_the_stamp_is_the_checksum_of_the_file(network: lpips.LearnedDistance) -> None:
    assert (network.name, network.sha256) == ("stlpips", FILES["stlpips"].sha256)


def test_a_shift_by_a_pixel_counts_far_less_than_blur_or_another_picture(
    network: lpips.LearnedDistance, photograph: Tensor
) -> None:
    picture = F.interpolate(photograph.float(), (66, 66), mode="area") / 127.5 - 1
    original, shifted = picture[..., 1:65, 1:65], picture[..., 1:65, :64]
    blurred = F.avg_pool2d(picture, 5, 1, 2)[..., 1:65, 1:65]
    distances = network.distance(original, torch.cat([shifted, blurred, original.flip(2)]))
    assert distances[0] < 0.25 * distances[1:].min()


def test_gradients_reach_the_picture() -> None:
    distance = stlpips.random(0)
    target, image = (pictures(2, 18, 20) / 127.5 - 1).split(1)
    image.requires_grad_()
    before = distance.distance(target, image)
    (gradient,) = torch.autograd.grad(before.sum(), image)
    assert gradient.isfinite().all()
    closer = image - 0.01 * gradient / gradient.abs().max()
    assert distance.distance(target, closer) < before


def test_pictures_too_small_for_the_mirrored_border_are_refused() -> None:
    distance = stlpips.random(0)
    with pytest.raises(ShapeError, match="got pictures of 18x17 px, expected both sides of at least 18 px"):
        distance.features(torch.zeros(1, 3, 17, 18))
    assert len(distance.features(torch.zeros(1, 3, 18, 18))) == 5
