"""Pixel blitting and geometric transformations (groups b and g).

Source: ADA paper (Karras et al. 2020, arXiv 2006.06676), Appendix B. All transformations of a picture are gathered in
one matrix, which maps places of the result to places of the source. Places are (x to the right, y down, 1), in
pixels from the centre of the picture, so pixels are square in pictures of any shape.

A picture that drew only blits is copied pixel by pixel, exactly; one that drew a geometric transformation is
upsampled twofold with sym6, sampled bilinearly through its whole matrix, and downsampled; both are computed for every
picture and chosen per picture, so nothing synchronises with the host.

Deviations:
- Reflection is applied to coordinates, after upsampling, so it never ends and needs no margin that depends on the
  matrices (the paper pads first, by as much as a batch needs). The results are equal away from the borders; beyond
  them they differ a little because sym6 is not quite symmetric.
- The delay of sym6 (half a sample short of the middle of its taps) is accounted for, so rotations turn about the
  centre of the picture to 0.05 pixels; without it, to 0.2 pixels along each axis.
- A quarter turn of a picture whose sides differ by an odd number lands half a pixel off, to stay a copy of pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from limner.data.augment.draws import Draws
from limner.data.augment.sampling import downsample, reflect, sample, take_pixels, upsample
from limner.data.augment.wavelets import SYM6, SYM6_DELAY

TRANSLATION_MAX = 0.125
"""Integer translation is uniform within this fraction of each side."""
SCALE_STD = 0.2
"""Standard deviation of log2 of the isotropic scale."""
ANISO_STD = 0.2
"""Standard deviation of log2 of the anisotropic scale."""
FRACTION_STD = 0.125
"""Standard deviation of fractional translation, as a fraction of each side."""


def draw_blit(images: Tensor, p: Tensor, draws: Draws) -> Tensor:
    """Draw x-flip, quarter turns and integer translation, in that order.

    Args:
        images: [N, C, H, W]; only its shape and type are read.
        p: [] probability of each of the three.
        draws: gives 7 uniform numbers a picture.

    Returns:
        Matrices [N, 3, 3] from places of the result to places of the source.
    """
    height, width = images.shape[2:]
    uniform = draws.rand(7).to(images)  # [N, 7]
    flips, turns, moves = (uniform[:, :3] < p).to(images).unbind(1)
    flip = 1 - 2 * flips * (uniform[:, 3] < 0.5).to(images)
    quarters = turns * (uniform[:, 4] * 4).floor()
    cos = (quarters == 0).to(images) - (quarters == 2).to(images)
    sin = (quarters == 1).to(images) - (quarters == 3).to(images)
    shift_x = moves * ((uniform[:, 5] * 2 - 1) * TRANSLATION_MAX * width).round()
    shift_y = moves * ((uniform[:, 6] * 2 - 1) * TRANSLATION_MAX * height).round()
    return scaling(flip, torch.ones_like(flip)) @ _turning(cos, sin) @ translation(-shift_x, -shift_y)


def draw_geometry(images: Tensor, p: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Draw isotropic scale, rotation, anisotropic scale, rotation again and fractional translation, in that order.

    Both rotations have probability 1 - sqrt(1 - p), so that some rotation happens with probability p.

    Args:
        images: [N, C, H, W]; only its shape and type are read.
        p: [] probability of scaling, of rotating, of anisotropic scaling and of translating.
        draws: gives 7 uniform and 4 normal numbers a picture.

    Returns:
        Matrices [N, 3, 3] from places of the result to places of the source, and [N] booleans: whether the picture
        drew any of them.
    """
    height, width = images.shape[2:]
    uniform, normal = draws.rand(7).to(images), draws.randn(4).to(images)  # [N, 7], [N, 4]
    p_rotate = 1 - (1 - p).clamp(min=0).sqrt()
    chance = torch.stack([p, p_rotate, p, p_rotate, p]).to(images)
    drawn = uniform[:, :5] < chance  # [N, 5]
    scales, turns, stretches, turns_again, moves = drawn.to(images).unbind(1)
    scale = torch.exp2(-SCALE_STD * normal[:, 0] * scales)
    angle = math.pi * (uniform[:, 5] * 2 - 1) * turns
    stretch = torch.exp2(-ANISO_STD * normal[:, 1] * stretches)
    angle_again = math.pi * (uniform[:, 6] * 2 - 1) * turns_again
    shift_x = FRACTION_STD * width * normal[:, 2] * moves
    shift_y = FRACTION_STD * height * normal[:, 3] * moves
    matrix = (
        scaling(scale, scale)
        @ rotation(angle)
        @ scaling(stretch, 1 / stretch)
        @ rotation(angle_again)
        @ translation(-shift_x, -shift_y)
    )
    return matrix, drawn.any(1)


def blit(images: Tensor, matrix: Tensor) -> Tensor:
    """Copy pixels through matrices [N, 3, 3] of flips, quarter turns and whole translations; [N, C, H, W] both ways."""
    height, width = images.shape[2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    source_x, source_y = _project(matrix, x.to(images), y.to(images))  # [N, H, W] each
    columns = (source_x + width / 2).floor().long()
    rows = (source_y + height / 2).floor().long()
    return take_pixels(images, reflect(rows, height), reflect(columns, width))


def warp(images: Tensor, matrix: Tensor) -> Tensor:
    """Resample pictures through matrices [N, 3, 3] of any affine map; [N, C, H, W] both ways."""
    height, width = images.shape[2:]
    # Sample k of the twofold grid that `downsample` reads lies (k - delay) / 2 pixels from the first pixel's centre.
    margin = len(SYM6) - 2
    x = (torch.arange(2 * width + margin, device=images.device) - SYM6_DELAY) / 2 - (width - 1) / 2
    y = (torch.arange(2 * height + margin, device=images.device) - SYM6_DELAY) / 2 - (height - 1) / 2
    source_x, source_y = _project(matrix, x.to(images), y.to(images))  # [N, 2H+10, 2W+10] each
    grid = torch.stack([source_x * (2 / (width - 1)), source_y * (2 / (height - 1))], dim=3)
    return downsample(sample(upsample(images), grid))


def translation(x: Tensor, y: Tensor) -> Tensor:
    """Return [N, 3, 3] moving places by x [N] and y [N] pixels."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, x, zero, one, y, zero, zero, one], dim=1).view(-1, 3, 3)


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return [N, 3, 3] scaling places by x [N] and y [N]."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([x, zero, zero, zero, y, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def rotation(angle: Tensor) -> Tensor:
    """Return [N, 3, 3] turning places from the x axis towards the y axis by `angle` [N] radians."""
    return _turning(angle.cos(), angle.sin())


def _turning(cos: Tensor, sin: Tensor) -> Tensor:
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def _project(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Map the places of all pairs of x [w] and y [h] through [N, 3, 3]; return x and y, [N, h, w] each."""
    across = matrix[:, :2, 0, None] * x  # [N, 2, w]
    down = matrix[:, :2, 1, None] * y + matrix[:, :2, 2, None]  # [N, 2, h]
    mapped = across[:, :, None] + down[:, :, :, None]  # [N, 2, h, w]
    return mapped[:, 0], mapped[:, 1]
