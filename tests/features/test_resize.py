"""Resizing filters, against sums written out, Pillow and torch-fidelity."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from features.plain import Oracle, pictures
from limner.features.resize import bicubic, tf1_bilinear


def written_out(picture: Tensor, size: int) -> Tensor:
    """The definition of TensorFlow 1's resize_bilinear, pixel by pixel: picture [H, W] to [size, size]."""
    height, width = picture.shape
    result = torch.zeros(size, size)
    for i in range(size):
        for j in range(size):
            y, x = i * height / size, j * width / size
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            above = picture[top, left] * (1 - (x - left)) + picture[top, right] * (x - left)
            below = picture[bottom, left] * (1 - (x - left)) + picture[bottom, right] * (x - left)
            result[i, j] = above * (1 - (y - top)) + below * (y - top)
    return result


@pytest.mark.parametrize(("height", "width", "size"), [(5, 7, 12), (9, 4, 3), (1, 1, 4), (6, 6, 12), (8, 3, 8)])
def test_tf1_bilinear_equals_its_definition(height: int, width: int, size: int) -> None:
    images = pictures(1, height, width)
    expected = torch.stack([written_out(channel, size) for channel in images[0].float()])
    torch.testing.assert_close(tf1_bilinear(images, size)[0], expected, atol=1e-3, rtol=0)


def test_tf1_bilinear_has_no_half_pixel_centres() -> None:
    """Doubling a row (a b) gives a, the middle, b and b again."""
    row = torch.tensor([[10.0, 20.0]]).expand(1, 1, 2, 2)
    assert tf1_bilinear(row, 4)[0, 0, 0].tolist() == [10, 15, 20, 20]


def test_tf1_bilinear_leaves_pictures_of_the_size_alone() -> None:
    images = pictures(2, 30, 30)
    assert torch.equal(tf1_bilinear(images, 30), images.float())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 48), (300, 513)])
def test_tf1_bilinear_equals_torch_fidelitys(oracle: Oracle, height: int, width: int) -> None:
    resize = oracle("torch_fidelity", "interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    images = pictures(1, height, width)
    expected = resize(images.float(), size=(299, 299), align_corners=False)
    torch.testing.assert_close(tf1_bilinear(images, 299), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 48), (400, 300)])
def test_bicubic_equals_pillows_on_floats(height: int, width: int) -> None:
    images = pictures(1, height, width)
    images[0, :, ::2] = 255 * (images[0, :, ::2] > 127)  # edges that overshoot
    channels = [Image.fromarray(channel) for channel in images[0].float().numpy()]
    resized = [np.array(channel.resize((224, 224), Image.Resampling.BICUBIC)) for channel in channels]
    expected = torch.from_numpy(np.stack(resized)).clamp(0, 255)
    torch.testing.assert_close(bicubic(images, 224)[0], expected, atol=0.01, rtol=0)
    assert expected.max() == 255  # the clip had something to do
