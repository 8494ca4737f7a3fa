"""The training pictures nearest to generated ones.

Source: ProGAN paper, Figure 10.

Deviations:
- The distance is the root mean square over pixels of pictures averaged down to at most 32 pixels a side, in levels of
  255; the paper compares features of VGG.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner.api.figures.base import FigureContext
from limner.data import Dataset
from limner.images import to_pil
from limner.ops.growing import downsample_box

TITLE = "Nearest training pictures"
SOURCE = "ProGAN paper, Figure 10"
CAPTION = (
    "Below each generated picture the training pictures nearest to it, with their distance in levels of 255: a "
    "generator that copies shows the same picture twice, at a distance far below the others."
)

NUM_SEEDS = 6
NUM_NEAREST = 4
COMPARED_SIDE = 32
"""Largest side at which pictures are compared, pixels."""
CHUNK = 256
"""Training pictures compared at a time."""


def draw(context: FigureContext) -> list[Path] | str:
    """Write one column a generated picture."""
    dataset = context.dataset
    if dataset is None:
        return "it needs the training pictures; give them as data (--data)"
    seeds = context.first_seeds(NUM_SEEDS)
    images = torch.stack([context.image(context.ws(seed)) for seed in seeds])
    distances, indices = nearest(images, dataset)  # [seeds, k] each
    cells = [to_pil(images)]
    captions = [[f"seed {seed}" for seed in seeds]]
    for found, numbers in zip(distances.T.tolist(), indices.T.tolist(), strict=True):
        cells.append(to_pil(_pictures(dataset, numbers)))
        captions.append([f"distance {distance:.1f}" for distance in found])
    rows = ["generated", *(f"nearest {place}" for place in range(1, len(cells)))]
    return [context.save_table("nearest", cells, rows=rows, captions=captions)]


def nearest(images: Tensor, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return distances and numbers [N, k] of the training pictures nearest to images [N, C, H, W] in [-1, 1]."""
    queries = reduced(images)  # [N, pixels]
    distances, indices = torch.empty(len(images), 0), torch.empty(len(images), 0, dtype=torch.long)
    for start in range(0, len(dataset), CHUNK):
        numbers = range(start, min(start + CHUNK, len(dataset)))
        reals = reduced(_pictures(dataset, numbers))  # [chunk, pixels]
        found = torch.stack([(reals - query).square().mean(1).sqrt() for query in queries]) * 127.5  # [N, chunk]
        distances = torch.cat([distances, found], 1)
        indices = torch.cat([indices, torch.tensor(numbers).expand(len(images), -1)], 1)
        distances, places = distances.topk(min(NUM_NEAREST, distances.shape[1]), dim=1, largest=False)
        indices = indices.gather(1, places)
    return distances, indices


def reduced(images: Tensor) -> Tensor:
    """Return images [N, C, H, W] averaged down to at most `COMPARED_SIDE`, as vectors [N, pixels]."""
    factor = 1
    while max(images.shape[2:]) > COMPARED_SIDE * factor and not any(side % (2 * factor) for side in images.shape[2:]):
        factor *= 2
    return downsample_box(images, factor).flatten(1)


def _pictures(dataset: Dataset, numbers: range | list[int]) -> Tensor:
    """Return training pictures [n, C, H, W] in [-1, 1]."""
    return torch.from_numpy(np.stack([dataset.image(number) for number in numbers])).float() / 127.5 - 1
