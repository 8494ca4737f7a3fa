"""Progressive growing: levels of detail, fading, and pictures at the resolution being trained.

Source: ProGAN paper, Section 2 and Figure 2. `lod` counts the levels below full resolution: with L = floor(lod),
networks work at (H >> L, W >> L), and the fraction lod - L is the weight of the path of the coarser level while the
finer one fades in (alpha = 1 - fraction in the paper's figure). New layers double the picture by its nearest neighbours
and halve it by the mean of 2x2 pixels.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from limner.errors import ConfigError


def level_of(num_doublings: int, lod: float) -> int:
    """Return the index of the finest block in use; block 0 is the base grid.

    Args:
        num_doublings: index of the block of full resolution.
        lod: 0 to `num_doublings`.

    Raises:
        ConfigError: a level of detail the network does not have.
    """
    if not 0 <= lod <= num_doublings:
        raise ConfigError(
            f"lod: got {lod:g}, expected 0 (full resolution) to {num_doublings} (the base grid), the levels of this "
            "network"
        )
    return num_doublings - math.floor(lod)


def fade(new: Tensor, old: Tensor, lod: float) -> Tensor:
    """Blend what the finer level makes with what the coarser one makes.

    Args:
        new: [N, C, H, W].
        old: [N, C, H / 2, W / 2], doubled here.
        lod: its fraction is the weight of `old`.

    Returns:
        [N, C, H, W]; `new` itself when `lod` is whole.
    """
    weight = lod % 1
    return new if weight == 0 else new.lerp(upsample_nearest(old), weight)


def upsample_nearest(x: Tensor, factor: int = 2) -> Tensor:
    """Repeat every pixel of [N, C, H, W] `factor` times in both directions."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="nearest")


def downsample_box(x: Tensor, factor: int = 2) -> Tensor:
    """Average blocks of `factor` x `factor` pixels of [N, C, H, W]."""
    return x if factor == 1 else F.avg_pool2d(x, factor)


def shrink(images: Tensor, lod: float) -> Tensor:
    """Return real pictures [N, C, H, W] as D sees them at `lod`: [N, C, H >> floor(lod), W >> floor(lod)], faded.

    While a level fades in, pictures lose their finest detail by the same weight (official ProGAN training).
    """
    images = downsample_box(images, 2 ** math.floor(lod))
    return fade(images, downsample_box(images), lod) if lod % 1 else images
