"""Image-space corruptions: additive noise (group n) and cutout (group c, the last letter of `bgcfnc`).

Source: ADA paper (Karras et al. 2020, arXiv 2006.06676), Appendix B.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.data.augment.draws import Draws

NOISE_STD = 0.1
"""Standard deviation of the normal number whose magnitude is the strength of the noise."""
CUTOUT_SIZE = 0.5
"""Sides of the removed rectangle, as a fraction of the picture's."""


def add_noise(images: Tensor, p: Tensor, draws: Draws) -> Tensor:
    """Add white noise of random strength to pictures [N, C, H, W] with probability `p` [].

    `draws` gives 1 uniform and 1 + C*H*W normal numbers a picture.
    """
    drawn = draws.rand(1).to(images) < p  # [N, 1]
    strength = NOISE_STD * draws.randn(1).to(images).abs() * drawn.to(images)  # [N, 1]
    return images + strength[:, :, None, None] * draws.randn(*images.shape[1:]).to(images)


def cut_out(images: Tensor, p: Tensor, draws: Draws) -> Tensor:
    """Blank a rectangle around a uniform centre in pictures [N, C, H, W] with probability `p` [].

    `draws` gives 3 uniform numbers a picture. Blank is 0, the middle of [-1, 1].
    """
    height, width = images.shape[2:]
    uniform = draws.rand(3).to(images)  # [N, 3]
    x = ((torch.arange(width, device=images.device) + 0.5) / width).to(images)
    y = ((torch.arange(height, device=images.device) + 0.5) / height).to(images)
    inside_x = (x - uniform[:, 1, None]).abs() < CUTOUT_SIZE / 2  # [N, W]
    inside_y = (y - uniform[:, 2, None]).abs() < CUTOUT_SIZE / 2  # [N, H]
    removed = inside_x[:, None] & inside_y[:, :, None] & (uniform[:, 0] < p)[:, None, None]  # [N, H, W]
    return images.masked_fill(removed[:, None], 0)
