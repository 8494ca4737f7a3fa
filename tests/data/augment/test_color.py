"""Oracles: closed-form colour maps, group properties of the matrices, the distributions of the paper."""

import math

import pytest
import torch

from limner.data.augment.color import brightness, contrast, draw_color, hue, luma_flip, recolor, saturation


def _column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def images(pictures):
    return pictures(2, 3, 5, 6, torch.float64)


def test_brightness_adds(images):
    expected = images + _column(0.3, -0.2).view(2, 1, 1, 1)
    torch.testing.assert_close(recolor(images, brightness(_column(0.3, -0.2))), expected)


def test_contrast_multiplies(images):
    expected = images * _column(2, 0.5).view(2, 1, 1, 1)
    torch.testing.assert_close(recolor(images, contrast(_column(2, 0.5))), expected)


def test_a_luma_flip_negates_the_mean_of_a_colour_and_keeps_its_differences(images):
    flipped = recolor(images, luma_flip(_column(1, 1)))
    torch.testing.assert_close(flipped.mean(1), -images.mean(1))
    torch.testing.assert_close(flipped.diff(dim=1), images.diff(dim=1))


def test_a_luma_flip_is_an_involution():
    flip = luma_flip(_column(1))
    torch.testing.assert_close(flip @ flip, torch.eye(4, dtype=torch.float64)[None])


def test_a_luma_flip_that_is_not_drawn_is_the_identity():
    assert torch.equal(luma_flip(torch.zeros(1)), torch.eye(4)[None])


def test_a_full_turn_of_hue_is_the_identity():
    torch.testing.assert_close(hue(_column(2 * math.pi)), torch.eye(4, dtype=torch.float64)[None])


def test_a_third_of_a_turn_of_hue_makes_red_green():
    red = _column(1, 0, 0, 1)
    torch.testing.assert_close(hue(_column(2 * math.pi / 3))[0] @ red, _column(0, 1, 0, 1))


def test_turns_of_hue_add_up():
    torch.testing.assert_close(hue(_column(0.4)) @ hue(_column(0.9)), hue(_column(1.3)))


@pytest.mark.parametrize("matrix", [hue(_column(0.7, -2.0)), luma_flip(_column(1, 0))])
def test_hue_and_luma_flip_keep_distances_between_colours(matrix):
    identity = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    torch.testing.assert_close(matrix @ matrix.mT, identity)


@pytest.mark.parametrize("matrix", [hue(_column(0.7)), saturation(_column(3.0)), saturation(_column(0.0))])
def test_hue_and_saturation_leave_greys_alone(matrix):
    grey = _column(0.4, 0.4, 0.4, 1)
    torch.testing.assert_close(matrix[0] @ grey, grey)


def test_saturation_scales_the_distance_from_grey(images):
    grey = images.mean(1, keepdim=True)
    saturated = recolor(images, saturation(_column(0, 3)))
    torch.testing.assert_close(saturated - grey, (images - grey) * _column(0, 3).view(2, 1, 1, 1))


def test_the_transformations_are_applied_in_the_published_order(scripted):
    """Brightness comes before contrast: (x + 0.2 b) 2^(0.5 c)."""
    draws = scripted(1, [0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.9], [1.0, 2.0, 0.0])
    matrix = draw_color(torch.tensor(0.5), draws)
    grey = torch.tensor([0.3, 0.3, 0.3, 1.0])
    torch.testing.assert_close(matrix[0] @ grey, torch.tensor([1.0, 1.0, 1.0, 1.0]))


def test_colours_are_drawn_with_the_published_distributions(seeded):
    matrix = draw_color(torch.tensor(1.0), seeded(20000)).double()
    linear = matrix[:, :3, :3]
    on_grey = linear.sum((1, 2)) / 3  # contrast, negated by the luma flip
    assert (on_grey < 0).double().mean().item() == pytest.approx(0.5, abs=0.015)
    contrasts = on_grey.abs().log2()
    assert contrasts.mean().item() == pytest.approx(0, abs=0.02)
    assert contrasts.std().item() == pytest.approx(0.5, rel=0.03)
    offsets = matrix[:, :3, 3].mean(1) / on_grey
    assert offsets.mean().item() == pytest.approx(0, abs=0.01)
    assert offsets.std().item() == pytest.approx(0.2, rel=0.03)
    # det = +-contrast^3 saturation^2
    saturations = (torch.linalg.det(linear).abs().log2() - 3 * contrasts) / 2
    assert saturations.mean().item() == pytest.approx(0, abs=0.03)
    assert saturations.std().item() == pytest.approx(1, rel=0.03)
    # A circulant of a, b, c turns chroma by the angle of a + b w + c w^2 with w the cube root of 1.
    chroma_x = linear[:, 0, 0] - (linear[:, 0, 1] + linear[:, 0, 2]) / 2
    chroma_y = (linear[:, 0, 2] - linear[:, 0, 1]) * math.sqrt(3) / 2
    angle = torch.atan2(chroma_y, chroma_x)
    assert angle.mean().item() == pytest.approx(0, abs=0.04)
    assert angle.std().item() == pytest.approx(2 * math.pi / math.sqrt(12), rel=0.02)


def test_each_transformation_is_drawn_with_probability_p(seeded):
    matrix = draw_color(torch.tensor(0.3), seeded(20000))
    untouched = (matrix == torch.eye(4)).all(dim=(1, 2)).float().mean().item()
    # The luma flip also needs a fair coin.
    assert untouched == pytest.approx(0.7**4 * (1 - 0.3 / 2), abs=0.015)


def test_grey_pictures_are_recoloured_as_the_greys_of_colour_pictures(pictures, seeded):
    grey = pictures(50, 1, 4, 4, torch.float64)
    matrix = draw_color(torch.tensor(0.8), seeded(50)).double()
    expected = recolor(grey.expand(-1, 3, -1, -1), matrix).mean(1, keepdim=True)
    torch.testing.assert_close(recolor(grey, matrix), expected)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_untouched_and_colours_are_treated_as_without_it(pictures, seeded, channels):
    images = pictures(8, channels, 4, 6)
    matrix = draw_color(torch.tensor(1.0), seeded(8))
    recolored = recolor(images, matrix)
    assert torch.equal(recolored[:, -1], images[:, -1])
    torch.testing.assert_close(recolored[:, :-1], recolor(images[:, :-1], matrix))
