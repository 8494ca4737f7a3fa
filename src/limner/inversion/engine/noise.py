"""Noise maps as part of what is searched: drawn, kept free of the picture, kept normal.

Source: StyleGAN2 paper, Appendix D: noise is optimised with the code; a penalty on its correlation with itself shifted
by a pixel, over a pyramid, keeps the picture out of it; after every step it is brought back to mean 0 and variance 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.papers.base import Generator

COARSEST = 8
"""Side of the coarsest map of the pyramid, pixels."""


def draw_noises(generator: Generator, count: int, stream: torch.Generator) -> list[Tensor]:
    """Return a fresh leaf map [N, 1, H, W] a layer; all pictures get the same numbers."""
    shapes = generator.noise_shapes
    maps = [torch.randn(1, 1, *shape, generator=stream).to(generator.w_avg) for shape in shapes]
    return [noise.repeat(count, 1, 1, 1).requires_grad_() for noise in maps]


def correlation(noises: Sequence[Tensor]) -> Tensor:
    """Return the penalty [N]: over maps, sizes and both axes, the squared mean of a map times its shift by a pixel."""
    terms = []
    for noise in noises:
        level = noise  # [N, 1, h, w]
        while True:
            terms += [(level * level.roll(1, axis)).mean((1, 2, 3)).square() for axis in (2, 3)]
            if min(level.shape[2:]) <= COARSEST:
                break
            level = F.avg_pool2d(level, 2)
    return torch.stack(terms).sum(0)


@torch.no_grad()
def normalize(noises: Sequence[Tensor]) -> None:
    """Give each map mean 0 and mean square 1, in place."""
    for noise in noises:
        noise -= noise.mean((2, 3), keepdim=True)
        noise *= noise.square().mean((2, 3), keepdim=True).rsqrt()
