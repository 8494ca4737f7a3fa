"""Semantic diffusion: a part of one picture grown into another.

Source: IDInvert paper (Zhu et al. 2020), Section 4.4, with the settings of its published code: the part is pasted onto
the context at its own place, the encoder gives a code for what comes out, and 100 steps of optimisation look at the
part alone, without the encoder in the loss. The context survives through the start.

Deviations:
- The loss is divided by the share of the part, so its size does not change the weights.
- The perceptual network sees mid-grey around the part, in both pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from limner.config import Resolution
from limner.errors import ConfigError
from limner.inversion import in_domain
from limner.inversion.base import Inversion, OnStep
from limner.papers.base import Generator

SETTINGS = in_domain.Config(domain_weight=0.0)
"""Those of the published code."""


@dataclass(frozen=True)
class Box:
    """A part of a picture, pixels."""

    x: int
    """Left edge."""
    y: int
    """Upper edge."""
    width: int
    height: int

    def mask(self, resolution: Resolution) -> Tensor:
        """Return the part as a mask [1, 1, H, W] of a picture (height, width).

        Raises:
            ConfigError: the box is empty or reaches out of the picture.
        """
        height, width = resolution
        fits = self.x >= 0 and self.y >= 0 and self.x + self.width <= width and self.y + self.height <= height
        if self.width < 1 or self.height < 1 or not fits:
            raise ConfigError(
                f"box: got {self.x},{self.y},{self.width},{self.height} (x,y,width,height), expected a part of a "
                f"picture {width} pixels wide and {height} high"
            )
        mask = torch.zeros(1, 1, height, width)
        mask[:, :, self.y : self.y + self.height, self.x : self.x + self.width] = 1.0
        return mask


def parse_box(text: str) -> Box:
    """Read `x,y,width,height`, pixels.

    Raises:
        ConfigError: it is not four whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.lstrip("-").isdecimal() and part.isascii() for part in parts):
        raise ConfigError(f"box: got '{text}', expected x,y,width,height in pixels, such as 20,24,24,24")
    return Box(*(int(part) for part in parts))


def stitched(target: Tensor, context: Tensor, mask: Tensor) -> Tensor:
    """Return pictures [N, C, H, W]: the target where the mask is 1, the context where it is 0."""
    return torch.where(mask > 0, target, context)


def diffuse(
    method: in_domain.Method,
    generator: Generator,
    targets: Tensor,
    contexts: Tensor,
    box: Box,
    *,
    c: Tensor | None = None,
    on_step: OnStep | None = None,
) -> Inversion:
    """Grow the part of targets into contexts.

    Args:
        method: in-domain inversion, with an encoder.
        generator: whose pictures these are.
        targets: [N, C, H, W] in [-1, 1].
        contexts: [N, C, H, W].
        box: the part.
        c: label [1, c_dim], of a conditional generator.
        on_step: told of every step.

    Raises:
        ConfigError: the box is not in the picture.
        ShapeError: see `Method.invert`.
    """
    mask = box.mask(generator.img_resolution).to(targets)
    return method.invert(generator, targets, masks=mask, context=contexts, c=c, on_step=on_step)
