"""Noise on all, no, fine or coarse layers.

Source: StyleGAN paper, Figure 5: fine is 64x64 and above, coarse is up to 32x32; a generator without layers of 64x64 is
divided in the middle.
"""

from __future__ import annotations

import math
from pathlib import Path

from limner.api.figures.base import FigureContext, busiest_window
from limner.config import base_grid
from limner.images import to_pil
from limner.papers.base import seed_to_noises

TITLE = "Noise by layer"
SOURCE = "StyleGAN paper, Figure 5"
CAPTION = (
    "Without noise pictures look painted; fine noise brings fine hair, background and pores, coarse noise large curls "
    "and larger background features; every second row enlarges the window that changes most."
)

NUM_SEEDS = 2
FINE_LEVEL = 4
"""First level of fine layers: 64x64, counted from the base grid, nominally 4x4."""


def draw(context: FigureContext) -> list[Path] | str:
    """Write two rows a seed: the picture and an enlarged part."""
    generator = context.generator
    if not generator.noise_shapes:
        return "this generator takes no noise"
    fine = fine_level(context)
    base_h, *_ = base_grid(generator.img_resolution)
    levels = [int(math.log2(height / base_h)) for height, _ in generator.noise_shapes]
    kinds = {
        "all layers": [True for _ in levels],
        "no noise": [False for _ in levels],
        f"fine layers\n{4 * 2**fine}x{4 * 2**fine} and above": [level >= fine for level in levels],
        f"coarse layers\nup to {2 * 2**fine}x{2 * 2**fine}": [level < fine for level in levels],
    }
    cells, rows = [], []
    for seed in context.first_seeds(NUM_SEEDS):
        ws = context.ws(seed)
        noises = [noise.to(ws.device) for noise in seed_to_noises(seed, generator.z_dim, generator.noise_shapes)]
        images = [
            context.image(ws, [noise * on for noise, on in zip(noises, chosen, strict=True)])
            for chosen in kinds.values()
        ]
        box = busiest_window((images[0] - images[1]).square().sum(0))
        pictures = [to_pil(image[None])[0] for image in images]
        cells += [pictures, [picture.crop(box) for picture in pictures]]
        rows += [f"seed {seed}", "enlarged"]
    return [context.save_table("noise-layers", cells, rows=rows, columns=list(kinds))]


def fine_level(context: FigureContext) -> int:
    """Return the level, counted from the base grid, at which fine layers begin."""
    *_, num_doublings = base_grid(context.generator.img_resolution)
    levels = num_doublings + 1 - math.floor(context.generator.lod)
    return FINE_LEVEL if levels > FINE_LEVEL else -(-levels // 2)
