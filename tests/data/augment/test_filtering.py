"""Oracles: padding and convolving plainly, the energy rule in closed form."""

import pytest
import torch
from torch.nn import functional as F

from limner.data.augment.filtering import EXPECTED_POWER, amplify_bands, draw_gains
from limner.data.augment.wavelets import band_filters


def test_unit_gains_leave_a_picture_as_it_is(pictures):
    images = pictures(2, 3, 10, 7, torch.float64)
    torch.testing.assert_close(amplify_bands(images, torch.ones(2, 4)), images)


def test_a_constant_picture_is_scaled_by_the_lowest_gain_along_each_axis():
    images = torch.full((1, 2, 8, 12), 0.5)
    filtered = amplify_bands(images, torch.tensor([[1.5, 7.0, 7.0, 7.0]]))
    torch.testing.assert_close(filtered, images * 1.5**2)


def test_a_checkerboard_is_scaled_by_the_highest_gain_along_each_axis():
    images = (-1.0) ** (torch.arange(9)[:, None] + torch.arange(11))[None, None]
    filtered = amplify_bands(images, torch.tensor([[7.0, 7.0, 7.0, 1.5]]))
    torch.testing.assert_close(filtered, images * 1.5**2)


def test_filtering_is_padding_and_convolving_along_both_axes():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 24, 30, dtype=torch.float64, generator=generator)
    gains = torch.rand(2, 4, dtype=torch.float64, generator=generator) + 0.5
    kernels = gains @ torch.from_numpy(band_filters())  # [2, 43]
    expected = []
    for image, kernel in zip(images, kernels, strict=True):
        padded = F.pad(image[:, None], [21] * 4, mode="reflect")
        expected.append(F.conv2d(padded, (kernel[:, None] * kernel)[None, None])[:, 0])
    torch.testing.assert_close(amplify_bands(images, gains), torch.stack(expected))


@pytest.mark.parametrize("band", range(4))
def test_amplifying_one_band_keeps_the_expected_power(scripted, band):
    chances = [0.9] * 4
    chances[band] = 0.0
    gains = draw_gains(torch.tensor(0.5), scripted(1, chances, [1.0] * 4))
    power = torch.tensor(EXPECTED_POWER) @ gains[0].square()
    assert power.item() == pytest.approx(1, rel=1e-6)
    others = [other for other in range(4) if other != band]
    torch.testing.assert_close(gains[0, band] / gains[0, others], torch.full((3,), 2.0))


def test_bands_are_amplified_one_after_the_other(scripted):
    gains = draw_gains(torch.tensor(0.5), scripted(1, [0.0, 0.9, 0.0, 0.9], [1.0, 0.0, -1.0, 0.0]))
    share = torch.tensor(EXPECTED_POWER)
    expected = torch.ones(4)
    for band, factor in ((0, 2.0), (2, 0.5)):
        factors = torch.ones(4)
        factors[band] = factor
        expected = expected * factors / (share @ factors.square()).sqrt()
    torch.testing.assert_close(gains[0], expected)


def test_gains_are_drawn_with_the_published_distribution(seeded):
    gains = draw_gains(torch.tensor(1.0), seeded(20000)).double().log2()
    # The divisors are common to all bands, so differences of two bands are of two N(0, 1).
    assert (gains[:, 3] - gains[:, 2]).mean().item() == pytest.approx(0, abs=0.03)
    assert (gains[:, 3] - gains[:, 0]).std().item() == pytest.approx(2**0.5, rel=0.03)


def test_without_a_draw_all_gains_are_exactly_one(seeded):
    gains = draw_gains(torch.tensor(0.3), seeded(20000))
    assert (gains == 1).all(dim=1).float().mean().item() == pytest.approx(0.7**4, abs=0.015)
