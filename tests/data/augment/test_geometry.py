"""Oracles: exact flips, turns and shifts; smooth pictures moved analytically; the distributions of the paper."""

import math

import pytest
import torch
from torch.nn import functional as F

from limner.data.augment.geometry import (
    blit,
    draw_blit,
    draw_geometry,
    rotation,
    scaling,
    translation,
    warp,
)
from limner.data.augment.wavelets import SYM6, SYM6_DELAY

ON, OFF = 0.0, 0.99
"""Uniform numbers below and above p = 0.5."""
HALF = torch.tensor(0.5)


def _column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _blob(size: tuple[int, int], x: float = 0, y: float = 0, spread: float = 4.0) -> torch.Tensor:
    """A Gaussian blob, x and y pixels from the centre of a [1, 1, H, W] picture."""
    height, width = size
    columns = torch.arange(width, dtype=torch.float64) - (width - 1) / 2 - x
    rows = torch.arange(height, dtype=torch.float64) - (height - 1) / 2 - y
    return torch.exp(-(rows[:, None].square() + columns.square()) / (2 * spread**2))[None, None]


def _centroid(images: torch.Tensor) -> tuple[float, float]:
    height, width = images.shape[2:]
    mass = images.sum()
    x = (images.sum(2) * (torch.arange(width, dtype=images.dtype) - (width - 1) / 2)).sum() / mass
    y = (images.sum(3) * (torch.arange(height, dtype=images.dtype) - (height - 1) / 2)).sum() / mass
    return x.item(), y.item()


# --- blitting


def test_a_drawn_flip_is_the_flip(pictures, scripted):
    images = pictures(2, 3, 6, 9)
    matrix = draw_blit(images, HALF, scripted(2, [ON, OFF, OFF, 0.3, 0.9, 0.9, 0.9]))
    assert torch.equal(blit(images, matrix), images.flip(3))


def test_a_drawn_flip_whose_coin_falls_the_other_way_changes_nothing(pictures, scripted):
    images = pictures(2, 3, 6, 9)
    matrix = draw_blit(images, HALF, scripted(2, [ON, OFF, OFF, 0.7, 0.9, 0.9, 0.9]))
    assert torch.equal(blit(images, matrix), images)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_drawn_quarter_turn_is_the_quarter_turn(pictures, scripted, quarters):
    images = pictures(2, 3, 7, 7)
    matrix = draw_blit(images, HALF, scripted(2, [OFF, ON, OFF, 0.3, quarters / 4 + 0.1, 0.9, 0.9]))
    assert torch.equal(blit(images, matrix), torch.rot90(images, quarters, (2, 3)))


def test_four_quarter_turns_are_the_identity(pictures, scripted):
    images = pictures(1, 3, 8, 8)
    turned = images
    for _ in range(4):
        turned = blit(turned, draw_blit(images, HALF, scripted(1, [OFF, ON, OFF, 0.3, 0.3, 0.9, 0.9])))
    assert torch.equal(turned, images)


def test_a_quarter_turn_of_a_wide_picture_turns_its_middle_and_reflects_the_rest(pictures, scripted):
    images = pictures(1, 1, 4, 8)
    matrix = draw_blit(images, HALF, scripted(1, [OFF, ON, OFF, 0.3, 0.3, 0.9, 0.9]))
    turned = blit(images, matrix)
    assert torch.equal(turned[..., 2:6], torch.rot90(images[..., 2:6], 1, (2, 3)))
    assert torch.equal(turned[..., :2], turned[..., 3:5].flip(3))


def test_a_quarter_turn_copies_pixels_even_when_the_sides_differ_by_an_odd_number(pictures, scripted):
    for height, width in ((4, 7), (7, 4)):
        images = pictures(1, 1, height, width)
        turned = blit(images, draw_blit(images, HALF, scripted(1, [OFF, ON, OFF, 0.3, 0.3, 0.9, 0.9])))
        if width > height:
            assert torch.equal(turned[..., 1:5], torch.rot90(images[..., 2:6], 1, (2, 3)))
        else:
            assert torch.equal(turned[..., 2:6, :], torch.rot90(images[..., 2:6, :], 1, (2, 3)))


def test_a_drawn_whole_translation_moves_right_and_down_and_reflects(pictures, scripted):
    images = pictures(2, 3, 16, 24)
    matrix = draw_blit(images, HALF, scripted(2, [OFF, OFF, ON, 0.3, 0.9, 1.0, 0.75]))  # 3 right, 1 down
    padded = F.pad(images, (3, 0, 1, 0), mode="reflect")
    assert torch.equal(blit(images, matrix), padded[..., :16, :24])


def test_a_translation_to_the_left_and_up_reflects_at_the_other_border(pictures, scripted):
    images = pictures(2, 3, 16, 24)
    matrix = draw_blit(images, HALF, scripted(2, [OFF, OFF, ON, 0.3, 0.9, 0.0, 0.0]))  # 3 left, 2 up
    padded = F.pad(images, (0, 3, 0, 2), mode="reflect")
    assert torch.equal(blit(images, matrix), padded[..., 2:, 3:])


def test_blits_are_drawn_with_the_published_frequencies(seeded):
    images = torch.zeros(20000, 1, 64, 32)
    matrix = draw_blit(images, torch.tensor(0.8), seeded(20000))
    mirrored = torch.linalg.det(matrix) < 0
    assert mirrored.float().mean().item() == pytest.approx(0.8 / 2, abs=0.015)
    certain = draw_blit(images, torch.tensor(1.0), seeded(20000))
    shift = torch.linalg.inv(certain)[:, :2, 2]
    assert shift.amax(0).tolist() == [4, 8]
    assert shift.amin(0).tolist() == [-4, -8]
    assert torch.equal(shift, shift.round())
    assert shift.mean(0).abs().max() < 0.15
    assert (shift[:, 1].abs() <= 7).float().mean().item() == pytest.approx(15 / 16, abs=0.01)


def test_each_quarter_turn_is_equally_likely(seeded):
    images = torch.zeros(20000, 1, 8, 8)
    matrix = draw_blit(images, torch.tensor(1.0), seeded(20000))
    # Row 1 of a matrix is (sin, cos) of the turn, also after a flip.
    quarter = torch.atan2(matrix[:, 1, 0], matrix[:, 1, 1]).div(math.pi / 2).round().long() % 4
    share = quarter.bincount(minlength=4) / len(quarter)
    torch.testing.assert_close(share, torch.full((4,), 0.25), atol=0.015, rtol=0)


# --- warping


def test_the_identity_leaves_every_pixel_where_it_is():
    images = torch.randn(2, 3, 20, 26, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    warped = warp(images, torch.eye(3, dtype=torch.float64).expand(2, 3, 3))
    torch.testing.assert_close(warped[..., 5:-5, 5:-5], images[..., 5:-5, 5:-5])


def test_the_identity_does_not_shift_a_picture_at_its_borders_either(pictures):
    images = pictures(2, 3, 32, 24, torch.float64)
    warped = warp(images, torch.eye(3, dtype=torch.float64).expand(2, 3, 3))
    assert (warped - images).abs().max() < 0.01


def test_a_whole_translation_warps_as_it_blits():
    images = torch.randn(1, 2, 24, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix = translation(_column(-3), _column(2))
    torch.testing.assert_close(warp(images, matrix)[..., 8:-8, 8:-8], blit(images, matrix)[..., 8:-8, 8:-8])


@pytest.mark.parametrize("shift", [(0.5, 0.0), (-1.25, 2.75), (0.1, -0.3)])
def test_a_fractional_translation_moves_a_blob_by_exactly_that(shift):
    # Bilinear interpolation of samples half a pixel apart errs by up to 1/32 of the curvature, 1/16 along each axis.
    images = _blob((40, 48))
    moved = warp(images, translation(_column(-shift[0]), _column(-shift[1])))
    torch.testing.assert_close(moved, _blob((40, 48), *shift), atol=4e-3, rtol=0)
    assert _centroid(moved) == pytest.approx(shift, abs=1e-3)


def test_scaling_grows_a_blob_about_the_centre():
    images = _blob((64, 64), spread=4)
    grown = warp(images, scaling(_column(1 / 1.5), _column(1 / 1.5)))
    torch.testing.assert_close(grown, _blob((64, 64), spread=6), atol=5e-3, rtol=0)


@pytest.mark.parametrize("degrees", [17, 90, 180, 270])
def test_rotation_turns_about_the_centre_of_the_picture(degrees):
    angle = math.radians(degrees)
    images = _blob((48, 64), x=9, y=0)
    turned = warp(images, rotation(_column(-angle)))  # source places turn the other way
    expected = (9 * math.cos(angle), 9 * math.sin(angle))
    assert _centroid(turned) == pytest.approx(expected, abs=0.12)


def test_a_quarter_turn_by_warping_is_close_to_the_exact_one(pictures):
    images = pictures(1, 3, 32, 32, torch.float64)
    turned = warp(images, rotation(_column(math.pi / 2)))
    assert (turned - torch.rot90(images, 1, (2, 3))).abs().max() < 0.04


def test_a_constant_picture_stays_constant_under_any_map(seeded):
    images = torch.full((16, 3, 12, 20), 0.7)
    matrix, _ = draw_geometry(images, torch.tensor(1.0), seeded(16))
    torch.testing.assert_close(warp(images, matrix), images, atol=1e-5, rtol=0)


def test_warping_far_away_still_shows_the_reflected_picture(pictures):
    images = pictures(1, 1, 16, 16, torch.float64)
    period = 2 * 15
    near = warp(images, translation(_column(0.3), _column(0)))
    far = warp(images, translation(_column(0.3 + 3 * period), _column(-2 * period)))
    torch.testing.assert_close(near, far, atol=1e-9, rtol=0)


def test_warping_equals_padding_upsampling_sampling_and_downsampling_away_from_the_borders():
    """The paper's recipe, written plainly: reflect padding first, zero insertion, align_corners=False."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 2, 40, 32, dtype=torch.float64, generator=generator)
    matrix = rotation(_column(0.4, -0.2, 1.3)) @ scaling(_column(0.9, 0.8, 1.1), _column(0.9, 1.0, 0.9))
    warped = warp(images, matrix)
    torch.testing.assert_close(warped[..., 16:24, 12:20], _plain_warp(images, matrix)[..., 16:24, 12:20])


def _plain_warp(images: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    kernel = (taps[:, None] * taps)[None, None]
    count, channels, height, width = images.shape
    margin = 31
    padded = F.pad(images, [margin] * 4, mode="reflect").flatten(0, 1)[:, None]
    inserted = padded.new_zeros(*padded.shape[:2], 2 * padded.shape[2], 2 * padded.shape[3])
    inserted[..., ::2, ::2] = padded
    upsampled = F.conv2d(inserted, 2 * kernel.flip(2, 3), padding=11).unflatten(0, (count, channels))[:, :, 0]
    y, x = torch.meshgrid(
        (torch.arange(2 * height + 10) - SYM6_DELAY) / 2 - (height - 1) / 2,
        (torch.arange(2 * width + 10) - SYM6_DELAY) / 2 - (width - 1) / 2,
        indexing="ij",
    )
    places = torch.stack([x, y, torch.ones_like(x)], dim=2).double()
    source = torch.einsum("nij,hwj->nhwi", matrix[:, :2], places)
    extent = torch.tensor([width, height])
    index = 2 * (source + (extent - 1) / 2 + margin) + SYM6_DELAY
    grid = (2 * index + 1) / torch.tensor(upsampled.shape[:1:-1]) - 1
    sampled = F.grid_sample(upsampled, grid, align_corners=False)
    return F.conv2d(sampled.flatten(0, 1)[:, None], kernel / 2, stride=2).view_as(images)


# --- drawing


def test_rotations_keep_lengths():
    matrix = rotation(_column(0.3, 2.0, -1.1))[:, :2, :2]
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(2, dtype=torch.float64).expand(3, 2, 2))


def test_geometry_is_drawn_with_the_published_distributions(seeded):
    images = torch.zeros(20000, 1, 64, 32, dtype=torch.float64)
    matrix, drawn = draw_geometry(images, torch.tensor(1.0), seeded(20000))
    assert drawn.all()
    forward = torch.linalg.inv(matrix)
    stretches = torch.linalg.svdvals(forward[:, :2, :2]).log2()
    isotropic = stretches.mean(1)
    assert isotropic.mean().item() == pytest.approx(0, abs=0.01)
    assert isotropic.std().item() == pytest.approx(0.2, rel=0.03)
    anisotropic = (stretches[:, 0] - stretches[:, 1]) / 2
    assert anisotropic.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.03)
    shift = forward[:, :2, 2]
    assert shift.mean(0).abs().max() < 0.25
    torch.testing.assert_close(shift.std(0), _column(4, 8), rtol=0.03, atol=0)
    angle = torch.atan2(forward[:, 1, 0] - forward[:, 0, 1], forward[:, 0, 0] + forward[:, 1, 1])
    assert angle.cos().mean().item() == pytest.approx(0, abs=0.02)
    assert angle.abs().mean().item() == pytest.approx(math.pi / 2, rel=0.02)


def test_some_rotation_happens_with_probability_p(seeded):
    images = torch.zeros(20000, 1, 8, 8)
    p = torch.tensor(0.3)
    matrix, drawn = draw_geometry(images, p, seeded(20000))
    assert drawn.float().mean().item() == pytest.approx(1 - (1 - 0.3) ** 4, abs=0.015)
    skew = matrix[:, 0, 1].abs() + matrix[:, 1, 0].abs()
    assert (skew > 1e-6).float().mean().item() == pytest.approx(0.3, abs=0.015)


def test_pictures_that_drew_nothing_have_the_identity(seeded):
    images = torch.zeros(200, 1, 8, 8)
    matrix, drawn = draw_geometry(images, torch.tensor(0.1), seeded(200))
    assert 0 < drawn.sum() < 200
    assert torch.equal(matrix[~drawn], torch.eye(3).expand(int((~drawn).sum()), 3, 3))


def test_a_probability_above_one_is_certainty(seeded):
    images = torch.zeros(50, 1, 8, 8)
    certain, _ = draw_geometry(images, torch.tensor(1.0), seeded(50))
    beyond, _ = draw_geometry(images, torch.tensor(1.7), seeded(50))
    assert torch.equal(certain, beyond)
