"""Codes sampled from a generator: those of seeds 0, 1, 2, ..., so that sample i is the picture of seed i."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from limner.papers.base import Generator, seed_to_z

CHUNK = 256
"""Seeds mapped at a time."""


@torch.no_grad()
def sampled_codes(generator: Generator, count: int, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return z [count, z_dim] and ws [count, num_ws, w_dim] of the first seeds, on the generator's device."""
    zs, codes = [], []
    for first in range(0, count, CHUNK):
        seeds = range(first, min(first + CHUNK, count))
        z = torch.cat([seed_to_z(seed, generator.z_dim) for seed in seeds]).to(generator.w_avg)
        zs.append(z)
        codes.append(generator.mapping(z, None if c is None else c.expand(len(z), -1)))
    return torch.cat(zs), torch.cat(codes)


@torch.no_grad()
def pictures(
    generator: Generator, ws: Tensor, batch: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Tensor]:
    """Yield the pictures [n, C, H, W] of ws [N, num_ws, w_dim], `batch` at a time, with the stored noise."""
    for first in range(0, len(ws), batch):
        yield generator.synthesis(ws[first : first + batch])
        if progress:
            progress(min(first + batch, len(ws)), len(ws))
