"""What goes into the networks that see: channels, types and shapes; and what their distances are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.errors import ShapeError
from limner.features.base import FeatureNetwork, PerceptualNetwork, to_rgb, to_rgb_bytes
from limner.images import on_white


class Corners(FeatureNetwork):
    """The first pixel of a picture."""

    name, sha256, dims, resize = "corners", "random", {"pixel": 3}, "none"

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"pixel": images[:, :, 0, 0].float()}


class Pixels(PerceptualNetwork):
    """Pictures as two layers: themselves and twice themselves."""

    name, sha256 = "pixels", "random"

    def extract(self, images: Tensor) -> list[Tensor]:
        return [images, 2 * images]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_grey_is_repeated_and_rgb_is_left_alone() -> None:
    grey = torch.randint(0, 256, (2, 1, 4, 5), dtype=torch.uint8)
    assert torch.equal(to_rgb_bytes(grey), grey.repeat(1, 3, 1, 1))
    assert torch.equal(to_rgb(grey / 127.5 - 1), grey.repeat(1, 3, 1, 1) / 127.5 - 1)
    rgb = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    assert torch.equal(to_rgb_bytes(rgb), rgb)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_composited_on_white_within_a_step_of_what_pictures_on_disk_become(mode: str) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (8, 8, len(mode))).astype(np.uint8)
    pixels[0, :, -1], pixels[1, :, -1] = 0, 255
    expected = torch.from_numpy(np.array(on_white(Image.fromarray(pixels, mode)))).permute(2, 0, 1)[None]
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]  # [1, C, 8, 8]
    ours = to_rgb_bytes(images)
    assert (ours.int() - expected.int()).abs().max() <= 1
    assert torch.equal(ours[:, :, 0], torch.full((1, 3, 8), 255, dtype=torch.uint8))
    assert torch.equal(ours[:, :, 1], images[:, :-1, 1].expand(1, 3, 8))
    floats = (to_rgb(images / 127.5 - 1) + 1) * 127.5
    torch.testing.assert_close(floats.round(), ours.float(), atol=1, rtol=0)


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 5, 4, 4), (1, 0, 4, 4)])
def test_other_shapes_are_refused_by_the_conversions(shape: tuple[int, ...]) -> None:
    for convert in (to_rgb, to_rgb_bytes):
        with pytest.raises(ShapeError, match=r"expected \[N, C, H, W\] with C = 1"):
            convert(torch.zeros(shape))


def test_a_feature_network_refuses_floats_and_other_channels() -> None:
    with pytest.raises(ShapeError, match=r"got pictures of torch\.float32, expected bytes"):
        Corners()(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ShapeError, match=r"corners expects pictures of \[N, 3, H, W\], got \[1, 1, 4, 4\]"):
        Corners()(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))


def test_a_perceptual_network_refuses_bytes_and_other_channels() -> None:
    network = Pixels()
    with pytest.raises(ShapeError, match=r"expected floats in \[-1, 1\]"):
        network.features(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    with pytest.raises(ShapeError, match=r"pixels expects pictures of \[N, 3, H, W\]"):
        network.distance(torch.zeros(1, 4, 4, 4), torch.zeros(1, 3, 4, 4))


def test_a_distance_sums_the_squared_differences_of_the_layers() -> None:
    network = Pixels()
    a, b = torch.randn(2, 3, 4, 5, dtype=torch.float64), torch.randn(2, 3, 4, 5, dtype=torch.float64)
    expected = 5 * (a - b).square().sum((1, 2, 3))  # 1 + 2^2
    torch.testing.assert_close(network.distance(a, b), expected)
    torch.testing.assert_close(network.distance_to(network.features(a), b), expected)


def test_one_cached_picture_serves_a_batch() -> None:
    network = Pixels()
    target, batch = torch.randn(1, 3, 4, 4), torch.randn(3, 3, 4, 4)
    expected = torch.cat([network.distance(target, batch[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(network.distance_to(network.features(target), batch), expected)
