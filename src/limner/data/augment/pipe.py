"""The ADA augmentation pipeline.

Source: ADA paper (Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", arXiv 2006.06676),
Section 2.3 and Appendix B. Deviations are listed in `geometry`
and `color`; pictures of 2 and 4 channels (with alpha) and pictures that are not square are accepted besides.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limner.data.augment.color import draw_color, recolor
from limner.data.augment.corruption import add_noise, cut_out
from limner.data.augment.draws import Draws, check_pictures
from limner.data.augment.filtering import amplify_bands, draw_gains
from limner.data.augment.geometry import blit, draw_blit, draw_geometry, warp
from limner.errors import ConfigError, closest

PIPES: dict[str, frozenset[str]] = {
    "blit": frozenset({"blit"}),
    "geom": frozenset({"geom"}),
    "color": frozenset({"color"}),
    "filter": frozenset({"filter"}),
    "noise": frozenset({"noise"}),
    "cutout": frozenset({"cutout"}),
    "bg": frozenset({"blit", "geom"}),
    "bgc": frozenset({"blit", "geom", "color"}),
    "bgcf": frozenset({"blit", "geom", "color", "filter"}),
    "bgcfn": frozenset({"blit", "geom", "color", "filter", "noise"}),
    "bgcfnc": frozenset({"blit", "geom", "color", "filter", "noise", "cutout"}),
}
"""Name of a pipeline -> its groups of transformations."""


class AugmentPipe(nn.Module):
    """Every transformation of the chosen groups, each with probability p in each picture."""

    def __init__(self, pipe: str = "bgc") -> None:
        """Choose the groups by a name of `PIPES`.

        Raises:
            ConfigError: there is no such name; the message gives the closest one.
        """
        super().__init__()
        if pipe not in PIPES:
            raise ConfigError(f"unknown augmentation pipe '{pipe}'; known: {', '.join(PIPES)}.{closest(pipe, PIPES)}")
        self.pipe = pipe
        self.groups = PIPES[pipe]

    def forward(self, images: Tensor, p: Tensor, draws: Draws) -> Tensor:
        """Augment pictures.

        How many numbers are drawn, and in what order, depends on the pipe and the shape of the pictures alone. At
        p = 0 the pictures come back unchanged (with `filter`: up to rounding). Nothing synchronises with the host.

        Args:
            images: [N, C, H, W] float in [-1, 1], C = 1 to 4 (grey, grey + alpha, RGB, RGB + alpha).
            p: [] probability of each transformation; above 1 is the same as 1.
            draws: the random numbers.

        Returns:
            [N, C, H, W] float; may leave [-1, 1]. Twice differentiable in `images`.

        Raises:
            ShapeError: `images` is of another shape.
        """
        check_pictures(images)
        images = self._move(images, p, draws)
        if "color" in self.groups:
            images = recolor(images, draw_color(p, draws))
        if "filter" in self.groups:
            images = amplify_bands(images, draw_gains(p, draws))
        if "noise" in self.groups:
            images = add_noise(images, p, draws)
        if "cutout" in self.groups:
            images = cut_out(images, p, draws)
        return images

    def _move(self, images: Tensor, p: Tensor, draws: Draws) -> Tensor:
        """Blit and warp: copies where only blits were drawn, one resampling where any warp was."""
        moved = images
        if "blit" in self.groups:
            blits = draw_blit(images, p, draws)
            moved = blit(images, blits)
        if "geom" in self.groups:
            matrix, drawn = draw_geometry(images, p, draws)
            matrix = blits @ matrix if "blit" in self.groups else matrix
            moved = torch.where(drawn[:, None, None, None], warp(images, matrix), moved)
        return moved

    def extra_repr(self) -> str:
        return f"pipe={self.pipe!r}"
