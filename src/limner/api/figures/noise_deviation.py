"""What noise decides: the standard deviation of every pixel over draws of the noise.

Source: StyleGAN paper, Figure 4: a picture, crops with different noise, and the deviation over 100 draws, brightened
fourfold in the official figure.

Deviations:
- The crop is where the deviation is largest; where four times is too dark to see, the map is brightened more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import torch
from PIL import Image, ImageDraw
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
    shown, maps = [], []
    for seed in seeds:
        images = noise_draws(context, context.ws(seed))
        shown.append(list(islice(images, NUM_CROPS)))
        maps.append(deviation(chain(shown[-1], images)))
    factor = brightening(max(float(values.max()) for values in maps))
    cells, captions = [], []
    for seed, first, values in zip(seeds, shown, maps, strict=True):
        box = busiest_window(values)
        crops = [picture.crop(box) for picture in to_pil(torch.stack(first))]
        cells.append([_with_frame(context.picture(context.ws(seed)), box), *crops, grey(values * factor)])
        mean, most = (255 * float(value) for value in (values.mean(), values.max()))
        captions.append([f"seed {seed}", *[""] * len(crops), f"mean {mean:.2g}, max {most:.2g}"])
    columns = ["picture", *(f"crop, noise {number}" for number in range(NUM_CROPS)), f"deviation x {factor}"]
    return [context.save_table("noise-deviation", cells, columns=columns, captions=captions)]


def noise_draws(context: FigureContext, ws: Tensor) -> Iterator[Tensor]:
    """Yield pictures [C, H, W] in [-1, 1] of ws [1, num_ws, w_dim], with the noise of the seeds 0, 1, ..."""
    generator = context.generator
    for seed in range(NUM_DRAWS):
        noises = seed_to_noises(seed, generator.z_dim, generator.noise_shapes)
        yield context.image(ws, [noise.to(ws.device) for noise in noises])


def deviation(images: Iterable[Tensor]) -> Tensor:
    """Return the standard deviation [H, W] of pictures [C, H, W] in [-1, 1], its root mean square over channels.

    It is a share of the range from black to white, and exactly zero where all pictures are equal: they are compared
    with the first.
    """
    remaining = iter(images)
    first = next(remaining)
    count, sums, squares = 1, torch.zeros_like(first), torch.zeros_like(first)
    for image in remaining:
        difference = (image - first) / 2
        count, sums, squares = count + 1, sums + difference, squares + difference.square()
    variances = squares / count - (sums / count).square()  # [C, H, W]
    return variances.clamp_min(0).mean(0).sqrt()


def brightening(largest: float) -> int:
    """Return by what power of two, at least `BRIGHTENING`, to brighten a map with this largest value."""
    if largest <= 0:
        return BRIGHTENING
    return max(2 ** math.ceil(math.log2(VISIBLE / largest)), BRIGHTENING)


def _with_frame(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a copy with a red frame around what the crops show."""
    framed, (left, top, right, bottom) = picture.convert("RGB"), box
    ImageDraw.Draw(framed).rectangle((left, top, right - 1, bottom - 1), outline="red")
    return framed
