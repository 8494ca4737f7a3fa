"""Oracles: transformations by hand, exhaustive ranges."""

import pytest
import torch

from limner.data.augment import DiffAugment
from limner.errors import ConfigError, ShapeError

P = torch.tensor(0.0)


def test_brightness_moves_by_up_to_a_half(pictures, scripted):
    images = pictures(2, 3, 4, 5)
    augmented = DiffAugment("color")(images, P, scripted(2, [0.0, 0.5, 0.5]))
    torch.testing.assert_close(augmented, images - 0.5)


def test_saturation_zero_makes_grey(pictures, scripted):
    images = pictures(2, 3, 4, 5)
    augmented = DiffAugment("color")(images, P, scripted(2, [0.5, 0.0, 0.5]))
    torch.testing.assert_close(augmented, images.mean(1, keepdim=True).expand_as(images))


def test_contrast_scales_about_the_mean_of_each_picture(pictures, scripted):
    images = pictures(2, 3, 4, 5)
    mean = images.mean((1, 2, 3), keepdim=True)
    augmented = DiffAugment("color")(images, P, scripted(2, [0.5, 0.5, 0.0]))
    torch.testing.assert_close(augmented, mean + (images - mean) * 0.5)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_not_recoloured(pictures, seeded, channels):
    images = pictures(4, channels, 4, 5)
    augmented = DiffAugment("color")(images, P, seeded(4))
    assert torch.equal(augmented[:, -1], images[:, -1])
    torch.testing.assert_close(augmented[:, :-1], DiffAugment("color")(images[:, :-1], P, seeded(4)))


def test_translation_moves_by_whole_pixels_and_fills_with_zeros(pictures, scripted):
    images = pictures(1, 3, 16, 24)
    augmented = DiffAugment("translation")(images, P, scripted(1, [0.0, 0.99]))  # source 2 rows up, 3 columns right
    expected = torch.zeros_like(images)
    expected[..., 2:, :-3] = images[..., :-2, 3:]
    assert torch.equal(augmented, expected)


def test_every_translation_within_an_eighth_is_equally_likely(seeded):
    images = torch.zeros(5000, 1, 16, 16)
    images[..., 8, 8] = 1
    augmented = DiffAugment("translation")(images, P, seeded(5000))
    where = augmented.nonzero()[:, 2:] - 8 + 2
    share = torch.stack([where[:, axis].bincount(minlength=5) for axis in (0, 1)]) / 5000
    torch.testing.assert_close(share, torch.full((2, 5), 0.2), atol=0.02, rtol=0)


def test_a_central_cutout_blanks_the_middle_half(scripted):
    augmented = DiffAugment("cutout")(torch.ones(1, 2, 8, 12), P, scripted(1, [0.5, 0.5]))
    expected = torch.ones(1, 2, 8, 12)
    expected[..., 2:6, 3:9] = 0
    assert torch.equal(augmented, expected)


def test_a_cutout_may_hang_over_the_border_by_half(scripted):
    augmented = DiffAugment("cutout")(torch.ones(1, 1, 8, 8), P, scripted(1, [0.0, 0.99]))
    assert (augmented == 0).sum() == 4
    assert (augmented[..., :2, 6:] == 0).all()


def test_every_picture_is_augmented_whatever_p_is(pictures, seeded):
    images = pictures(8, 3, 16, 16)
    zero = DiffAugment()(images, torch.tensor(0.0), seeded(8))
    assert torch.equal(zero, DiffAugment()(images, torch.tensor(1.0), seeded(8)))
    assert ((zero - images).abs().amax((1, 2, 3)) > 0).all()


def test_the_order_of_the_policy_is_the_order_of_the_transformations(scripted):
    images = torch.ones(1, 3, 8, 8)
    augmented = DiffAugment(" cutout , color")(images, P, scripted(1, [0.5, 0.5], [0.75, 0.5, 0.5]))
    assert augmented[0, 0, 4, 4].item() == pytest.approx(0.25)  # blanked, then brightened


def test_an_unknown_policy_is_refused_with_the_closest_name():
    with pytest.raises(ConfigError, match=r"unknown DiffAugment transformation 'colour'.*Did you mean 'color'"):
        DiffAugment("colour,cutout")


def test_an_empty_policy_is_refused():
    with pytest.raises(ConfigError, match="known: color, translation, cutout"):
        DiffAugment("")


def test_pictures_of_five_channels_are_refused(seeded):
    with pytest.raises(ShapeError, match=r"got \[1, 5, 8, 8\]"):
        DiffAugment()(torch.zeros(1, 5, 8, 8), P, seeded(1))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_first_and_second_derivatives_are_correct(pictures, seeded, channels):
    images = pictures(2, channels, 4, 6, torch.float64).requires_grad_()

    def augment(x: torch.Tensor) -> torch.Tensor:
        return DiffAugment()(x, P, seeded(2))

    assert torch.autograd.gradcheck(augment, images)
    assert torch.autograd.gradgradcheck(augment, images)


def test_a_share_of_a_batch_is_augmented_as_in_the_whole(pictures, seeded):
    images = pictures(6, 3, 16, 12)
    whole = DiffAugment()(images, P, seeded(6))
    share = slice(1, None, 2)
    torch.testing.assert_close(DiffAugment()(images[share], P, seeded(6, share)), whole[share])
