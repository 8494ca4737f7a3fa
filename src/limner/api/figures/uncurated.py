"""Uncurated pictures, all seeds in order, at several sizes.

Source: StyleGAN paper, Figure 2; 3 rows and its sizes as in the official figure.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image

from limner.api.figures.base import FigureContext
from limner.config import base_grid
from limner.images import on_white

TITLE = "Uncurated pictures"
SOURCE = "StyleGAN paper, Figure 2"
CAPTION = "Every seed in order, none left out: what the generator makes when nobody chooses."

ROWS = 3
HALVINGS = (0, 1, 2, 2, 3, 3)
"""How often the pictures of a column are halved."""
SMALLEST = 16
"""Least side of a picture, pixels."""
WIDTH = 800
"""Small mosaics grow by a whole factor to at most this width, pixels."""


def draw(context: FigureContext) -> list[Path]:
    """Write the mosaic."""
    height, width = context.generator.img_resolution
    *_, num_doublings = base_grid((height, width))
    most = min(max(int(math.log2(min(height, width) / SMALLEST)), 0), num_doublings)
    halvings = [min(count, most) for count in HALVINGS]
    seeds = iter(context.first_seeds(sum(ROWS * 2**count for count in halvings)))
    mosaic = Image.new("RGB", (sum(width >> count for count in halvings), ROWS * height), "white")
    left = 0
    for count in halvings:
        for top in range(0, ROWS * height, height >> count):
            picture = on_white(context.picture(context.ws(next(seeds))))
            mosaic.paste(picture.reduce(2**count), (left, top))
        left += width >> count
    factor = max(WIDTH // mosaic.width, 1)
    mosaic = mosaic.resize((mosaic.width * factor, mosaic.height * factor), Image.Resampling.NEAREST)
    return [context.save(mosaic, "uncurated")]
