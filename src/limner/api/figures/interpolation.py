"""Straight ways from one seed to another, in Z and in W.

Source: StyleGAN paper, Section 4.1: spherical interpolation in Z, linear in W, whose path should be the shorter one.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch

from limner.api.figures.base import FigureContext
from limner.latents import seeds_to_z, walk

TITLE = "Interpolation"
SOURCE = "StyleGAN paper, Section 4.1"
CAPTION = (
    "From one seed to another along the sphere of Z and along a straight line in W: a smooth space shows no feature "
    "that neither end has."
)

NUM_PAIRS = 3
STEPS = 8


def draw(context: FigureContext) -> list[Path]:
    """Write two rows a pair of seeds."""
    generator = context.generator
    c = generator.label_vector(context.label)
    seeds = context.first_seeds(2 * NUM_PAIRS)
    cells, rows = [], []
    for first, last in zip(seeds[::2], seeds[1::2], strict=True):
        z = seeds_to_z([first, last], generator.z_dim).to(generator.w_avg.device)  # [2, z_dim]
        with torch.no_grad():
            along_z = [
                generator.mapping(point[None], c, truncation_psi=context.truncation_psi)
                for point in islice(walk(z, STEPS, "slerp"), STEPS + 1)
            ]
        keys = torch.cat([context.ws(first), context.ws(last)])  # [2, num_ws, w_dim]
        along_w = [point[None] for point in islice(walk(keys, STEPS, "lerp"), STEPS + 1)]
        for space, way in (("Z", along_z), ("W", along_w)):
            cells.append([context.picture(ws) for ws in way])
            rows.append(f"{space}\n{first} to {last}")
    columns = [f"{step / STEPS:.3g}" for step in range(STEPS + 1)]
    return [context.save_table("interpolation", cells, rows=rows, columns=columns)]
