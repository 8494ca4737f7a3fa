"""What noise decides: the standard deviation of every pixel over draws of the noise.

Source: StyleGAN paper, Figure 4: a picture, crops with different noise, and the deviation over 100 draws, brightened
fourfold in the official figure.

Deviations:
- The crop is where the deviation is largest; where four times is too dark to see, the map is brightened more.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from limner.api.figures.base import FigureContext, busiest_window, grey
from limner.images import to_pil
from limner.papers.base import seed_to_noises

TITLE = "Deviation over noise"
SOURCE = "StyleGAN paper, Figure 4"
CAPTION = (
    "The same w with different noise: only stochastic detail such as hair should change, so the map of standard "
    "deviations (mean and maximum in levels of 255) is bright there and dark on what makes the identity."
)

NUM_SEEDS = 2
NUM_DRAWS = 100
NUM_CROPS = 4
BRIGHTENING = 4
"""Least brightening of the map."""
VISIBLE = 0.25
"""Share of white that the map's brightest pixel should reach."""


def draw(context: FigureContext) -> list[Path] | str:
    """Write one row a seed."""
    if not context.generator.noise_shapes:
        return "this generator takes no noise"
    seeds = context.first_seeds(NUM_SEEDS)
    draws = [noise_draws(context, context.ws(seed)) for seed in seeds]
    deviations = [deviation(images) for images in draws]
    factor = brightening(max(float(values.max()) for values in deviations))
    cells, captions = [], []
    for seed, images, values in zip(seeds, draws, deviations, strict=True):
        box = busiest_window(values)
        pictures = to_pil(images[:NUM_CROPS])
        stored = _with_frame(context.picture(context.ws(seed)), box)
        cells.append([stored, *(picture.crop(box) for picture in pictures), grey(values * factor)])
        mean, most = (127.5 * float(value) for value in (values.mean(), values.max()))
        captions.append([f"seed {seed}", *[""] * len(pictures), f"mean {mean:.2g}, max {most:.2g}"])
    columns = ["picture", *(f"crop, noise {number}" for number in range(NUM_CROPS)), f"deviation x {factor}"]
    return [context.save_table("noise-deviation", cells, columns=columns, captions=captions)]


def noise_draws(context: FigureContext, ws: Tensor) -> Tensor:
    """Return the pictures [draws, C, H, W] in [-1, 1] of ws [1, num_ws, w_dim] with the noise of the seeds 0, 1, ..."""
    generator = context.generator
    images = []
    for seed in range(NUM_DRAWS):
        noises = seed_to_noises(seed, generator.z_dim, generator.noise_shapes)
        images.append(context.image(ws, [noise.to(ws.device) for noise in noises]))
    return torch.stack(images)


def deviation(images: Tensor) -> Tensor:
    """Return the standard deviation [H, W] of pictures [draws, C, H, W], its root mean square over channels.

    It is exactly zero where all pictures are equal: they are compared with the first one.
    """
    return (images - images[0]).var(0, correction=0).mean(0).sqrt()


def brightening(largest: float) -> int:
    """Return by what power of two, at least `BRIGHTENING`, to brighten a map with this largest value."""
    if largest <= 0:
        return BRIGHTENING
    return max(2 ** math.ceil(math.log2(VISIBLE / largest)), BRIGHTENING)


def _with_frame(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a copy with a red frame around what the crops show."""
    framed = picture.convert("RGB")
    left, top, right, bottom = box
    for edge in ((left, top, right, top + 1), (left, bottom - 1, right, bottom)):
        framed.paste("red", edge)
    for edge in ((left, top, left + 1, bottom), (right - 1, top, right, bottom)):
        framed.paste("red", edge)
    return framed
