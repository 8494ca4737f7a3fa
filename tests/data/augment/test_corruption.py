"""Oracles: pictures corrupted by hand, and the distributions of the paper."""

import math

import pytest
import torch

from limner.data.augment.corruption import add_noise, cut_out


def test_noise_of_a_known_strength_is_added(pictures, scripted):
    images = pictures(2, 1, 2, 2)
    draws = scripted(2, [0.0], [-2.0], [[[0.5, -1.0], [0.0, 2.0]]])
    expected = images + 0.2 * torch.tensor([[0.5, -1.0], [0.0, 2.0]])
    torch.testing.assert_close(add_noise(images, torch.tensor(0.5), draws), expected)


def test_noise_strength_is_half_normal(seeded):
    images = torch.zeros(4000, 1, 16, 16)
    noise = add_noise(images, torch.tensor(1.0), seeded(4000))
    strength = noise.flatten(1).std(1)
    assert strength.mean().item() == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.04)
    assert noise.mean().abs().item() < 1e-3


def test_noise_is_added_with_probability_p(seeded):
    images = torch.zeros(4000, 1, 2, 2)
    noise = add_noise(images, torch.tensor(0.3), seeded(4000))
    assert (noise != 0).any(dim=3).any(dim=2).float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_a_cutout_blanks_half_of_each_side_about_its_centre(scripted):
    images = torch.ones(1, 2, 8, 12)
    cut = cut_out(images, torch.tensor(0.5), scripted(1, [0.0, 0.5, 0.5]))
    expected = torch.ones(1, 2, 8, 12)
    expected[..., 2:6, 3:9] = 0
    assert torch.equal(cut, expected)


def test_a_cutout_at_the_corner_is_clipped_there(scripted):
    images = torch.ones(1, 1, 8, 8)
    cut = cut_out(images, torch.tensor(0.5), scripted(1, [0.0, 0.0, 0.99]))
    assert torch.equal((cut == 0).nonzero()[:, 2:].amax(0), torch.tensor([7, 1]))
    assert (cut == 0).sum() == 4


def test_cutouts_take_the_expected_area(seeded):
    """A uniform centre clips the interval of length 1/2 to 3/8 + ... = 7/16 of a side on average."""
    images = torch.ones(4000, 1, 32, 32)
    cut = cut_out(images, torch.tensor(1.0), seeded(4000))
    assert (cut == 0).float().mean().item() == pytest.approx((7 / 16) ** 2, rel=0.03)


def test_cutouts_happen_with_probability_p(seeded):
    images = torch.ones(4000, 1, 8, 8)
    cut = cut_out(images, torch.tensor(0.3), seeded(4000))
    assert (cut == 0).flatten(1).any(1).float().mean().item() == pytest.approx(0.3, abs=0.03)
