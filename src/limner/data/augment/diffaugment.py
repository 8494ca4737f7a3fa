"""DiffAugment: colour jitter, translation and cutout.

Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", arXiv 2006.10738:
brightness within [-0.5, 0.5], contrast within [0.5, 1.5], saturation within [0, 2]; translation within
1/8 of the picture, zero-padded; cutout of a square of half the picture. Deviation: alpha (the last of 2 or 4
channels) is moved and cut but not recoloured.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from limner.data.augment.draws import Draws, check_pictures, num_colors
from limner.data.augment.sampling import take_pixels
from limner.errors import ConfigError, closest

TRANSLATION_RATIO = 0.125
"""Largest translation, as a fraction of each side."""
CUTOUT_RATIO = 0.5
"""Sides of the removed rectangle, as a fraction of the picture's."""


class DiffAugment(nn.Module):
    """The transformations of a policy, in its order, applied to every picture."""

    def __init__(self, policy: str = "color,translation,cutout") -> None:
        """Read a policy: names of `POLICIES`, comma separated.

        Raises:
            ConfigError: a name is unknown; the message gives the closest one.
        """
        super().__init__()
        self.policy = tuple(name.strip() for name in policy.split(","))
        for name in self.policy:
            if name not in POLICIES:
                raise ConfigError(
                    f"unknown DiffAugment transformation '{name}' in policy '{policy}'; "
                    f"known: {', '.join(POLICIES)}.{closest(name, POLICIES)}"
                )

    def forward(self, images: Tensor, p: Tensor, draws: Draws) -> Tensor:
        """Augment pictures.

        Args:
            images: [N, C, H, W] float in [-1, 1], C = 1 to 4 (grey, grey + alpha, RGB, RGB + alpha).
            p: ignored: DiffAugment always applies its whole policy. Present so that pipelines are interchangeable.
            draws: the random numbers.

        Returns:
            [N, C, H, W] float; may leave [-1, 1]. Twice differentiable in `images`.

        Raises:
            ShapeError: `images` is of another shape.
        """
        check_pictures(images)
        for name in self.policy:
            images = POLICIES[name](images, draws)
        return images

    def extra_repr(self) -> str:
        return f"policy={','.join(self.policy)!r}"


def jitter_color(images: Tensor, draws: Draws) -> Tensor:
    """Shift brightness, then scale saturation, then contrast, of [N, C, H, W]; `draws` gives 3 uniform numbers."""
    brightness, saturation, contrast = draws.rand(3).to(images)[:, :, None, None, None].unbind(1)  # [N, 1, 1, 1] each
    count = num_colors(images)
    colors = images[:, :count] + (brightness - 0.5)
    grey = colors.mean(dim=1, keepdim=True)
    colors = grey + (colors - grey) * (saturation * 2)
    mean = colors.mean(dim=(1, 2, 3), keepdim=True)
    colors = mean + (colors - mean) * (contrast + 0.5)
    return colors if count == images.shape[1] else torch.cat([colors, images[:, count:]], dim=1)


def translate(images: Tensor, draws: Draws) -> Tensor:
    """Move [N, C, H, W] by whole pixels, filling with zeros; `draws` gives 2 uniform numbers."""
    height, width = images.shape[2:]
    uniform = draws.rand(2)
    rows = _shifted(uniform[:, 0], height)[:, :, None].expand(-1, -1, width)  # [N, H, W]
    columns = _shifted(uniform[:, 1], width)[:, None].expand(-1, height, -1)  # [N, H, W]
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    moved = take_pixels(images, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return moved.masked_fill(outside[:, None], 0)


def cut_square(images: Tensor, draws: Draws) -> Tensor:
    """Blank half the sides of [N, C, H, W] around a uniform centre; `draws` gives 2 uniform numbers."""
    height, width = images.shape[2:]
    uniform = draws.rand(2)
    removed = _covered(uniform[:, 0], height)[:, :, None] & _covered(uniform[:, 1], width)[:, None]  # [N, H, W]
    return images.masked_fill(removed[:, None], 0)


def _shifted(uniform: Tensor, size: int) -> Tensor:
    """Return the source positions [N, size] of a uniform whole shift within TRANSLATION_RATIO of `size`."""
    largest = int(size * TRANSLATION_RATIO + 0.5)
    shift = (uniform * (2 * largest + 1)).floor().long() - largest  # [N]
    return torch.arange(size, device=uniform.device) + shift[:, None]


def _covered(uniform: Tensor, size: int) -> Tensor:
    """Return which positions [N, size] lie in an interval of CUTOUT_RATIO of `size` with a uniform centre."""
    length = int(size * CUTOUT_RATIO + 0.5)
    centre = (uniform * (size + 1 - length % 2)).floor().long()  # [N]
    start = (centre - length // 2)[:, None]
    position = torch.arange(size, device=uniform.device)
    return (position >= start) & (position < start + length)


POLICIES: dict[str, Callable[[Tensor, Draws], Tensor]] = {
    "color": jitter_color,
    "translation": translate,
    "cutout": cut_square,
}
"""Name -> transformation."""
