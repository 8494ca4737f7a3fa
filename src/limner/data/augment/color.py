"""Colour transformations (group c): brightness, contrast, luma flip, hue and saturation as one affine map of colour.

Source: ADA paper (Karras et al. 2020, arXiv 2006.06676), Appendix B. Colours are homogeneous columns (r, g, b, 1) with
r, g, b in [-1, 1]; the luma axis is v = (1, 1, 1) / sqrt(3).

Grey pictures see what the map does to greys, averaged over r, g and b; hue and saturation leave greys alone, so only
brightness, contrast and luma flip act. Deviation: alpha (the last of 2 or 4 channels; not in the paper) is untouched.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from limner.data.augment.draws import Draws, num_colors

BRIGHTNESS_STD = 0.2
"""Standard deviation of the brightness offset."""
CONTRAST_STD = 0.5
"""Standard deviation of log2 of the contrast."""
SATURATION_STD = 1.0
"""Standard deviation of log2 of the saturation."""


def draw_color(p: Tensor, draws: Draws) -> Tensor:
    """Draw brightness, contrast, luma flip, hue and saturation, in that order.

    Args:
        p: [] probability of each of the five.
        draws: gives 7 uniform and 3 normal numbers a picture.

    Returns:
        Matrices [N, 4, 4] of colours (r, g, b, 1).
    """
    uniform, normal = draws.rand(7), draws.randn(3)  # [N, 7], [N, 3]
    brightens, contrasts, flips, turns, saturates = (uniform[:, :5] < p).to(normal).unbind(1)
    return (
        saturation(torch.exp2(SATURATION_STD * normal[:, 2] * saturates))
        @ hue(math.pi * (uniform[:, 6] * 2 - 1) * turns)
        @ luma_flip(flips * (uniform[:, 5] < 0.5).to(normal))
        @ contrast(torch.exp2(CONTRAST_STD * normal[:, 1] * contrasts))
        @ brightness(BRIGHTNESS_STD * normal[:, 0] * brightens)
    )


def recolor(images: Tensor, matrix: Tensor) -> Tensor:
    """Map the colours of pictures [N, C, H, W] (C = 1 to 4) through matrices [N, 4, 4]; alpha passes through."""
    matrix = matrix.to(images)
    linear, offset = matrix[:, :3, :3], matrix[:, :3, 3:]  # [N, 3, 3], [N, 3, 1]
    colors = num_colors(images)
    if colors == 1:
        linear = linear.sum(dim=(1, 2)).view(-1, 1, 1) / 3
        offset = offset.mean(dim=1, keepdim=True)
    flat = images[:, :colors].flatten(2)  # [N, colors, H*W]
    mapped = (linear @ flat + offset).unflatten(2, images.shape[2:])
    if colors == images.shape[1]:
        return mapped
    return torch.cat([mapped, images[:, colors:]], dim=1)


def brightness(offset: Tensor) -> Tensor:
    """Return [N, 4, 4] adding `offset` [N] to r, g and b."""
    matrix = torch.eye(4, dtype=offset.dtype, device=offset.device).repeat(len(offset), 1, 1)
    matrix[:, :3, 3] = offset[:, None]
    return matrix


def contrast(factor: Tensor) -> Tensor:
    """Return [N, 4, 4] multiplying r, g and b by `factor` [N]."""
    return _circulant(factor, torch.zeros_like(factor), torch.zeros_like(factor))


def luma_flip(flip: Tensor) -> Tensor:
    """Return [N, 4, 4] reflecting luma and keeping chroma (I - 2 v v^T) where `flip` [N] is 1, the identity where 0."""
    return _circulant(1 - flip * (2 / 3), flip * (-2 / 3), flip * (-2 / 3))


def hue(angle: Tensor) -> Tensor:
    """Return [N, 4, 4] turning colours about the luma axis by `angle` [N] radians (Rodrigues' formula)."""
    even, odd = (1 - angle.cos()) / 3, angle.sin() * math.sqrt(1 / 3)
    return _circulant(even + angle.cos(), even - odd, even + odd)


def saturation(factor: Tensor) -> Tensor:
    """Return [N, 4, 4] multiplying chroma by `factor` [N] and keeping luma (v v^T + (I - v v^T) factor)."""
    rest = (1 - factor) / 3
    return _circulant(rest + factor, rest, rest)


def _circulant(own: Tensor, following: Tensor, last: Tensor) -> Tensor:
    """Return [N, 4, 4]: each of r, g, b becomes `own` of itself, `following` of the next and `last` of the third.

    Every linear map of colours that treats r, g and b alike has this form.
    """
    zero, one = torch.zeros_like(own), torch.ones_like(own)
    rows = (own, following, last, zero), (last, own, following, zero), (following, last, own, zero)
    return torch.stack([*rows[0], *rows[1], *rows[2], zero, zero, zero, one], dim=1).view(-1, 4, 4)
