"""Norms of the features in every layer, as maps: where a network hides droplets.

Source: StyleGAN2 paper, Section 2 and Figure 1: instance normalization (StyleGAN, rung A) makes the network put a spike
into its feature maps from 64x64 on, to smuggle signal strength past the normalization; demodulation (rungs B on) does
not. The norm of a pixel is the root of the mean over channels of its squared features.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from limner.api.figures.base import FigureContext, blocks, grey, recorded

TITLE = "Droplets"
SOURCE = "StyleGAN2 paper, Figure 1"
CAPTION = (
    "Norm of the features at every pixel, one row a layer, white the largest of its map: a droplet is one small bright "
    "blob on black with a peak many times the median (the number, a mean over the pictures); without one the map shows "
    "the picture's own shapes."
)

NUM_SEEDS = 4
FLAT = 0.999
"""Least over largest norm from which a map counts as flat."""
OTHERS = ("torgb", "skip")
"""Modules of a block that make no features."""


def draw(context: FigureContext) -> list[Path] | str:
    """Write the maps of all layers, and droplets.csv with their peaks."""
    modules = layers(blocks(context.generator))
    if not modules:
        return "this generator has no blocks b4, b8, ... whose layers could be looked into"
    seeds = context.first_seeds(NUM_SEEDS)
    cells, maps = [], []
    for seed in seeds:
        ws = context.ws(seed)
        with recorded(modules) as outputs:
            cells.append(context.picture(ws))
        maps.append({name: norms(output) for name, output in outputs.items() if output.ndim == 4})
    if all(float(values.min()) >= FLAT * float(values.max()) for found in maps for values in found.values()):
        return "pixelwise normalization gives every pixel of a layer the same norm, so there is nothing to see"
    peaks = {name: sum(peak_over_median(found[name]) for found in maps) / len(maps) for name in maps[0]}
    width, height = context.cell
    table = [cells, *([grey(shrunk(found[name], height, width)) for found in maps] for name in peaks)]
    rows = ["picture", *(f"{name}\npeak {peak:.3g}" for name, peak in peaks.items())]
    sheet = context.save_table("droplets", table, rows=rows, columns=[f"seed {seed}" for seed in seeds])
    numbers = [(name, f"{peak:.6g}") for name, peak in peaks.items()]
    return [sheet, context.save_numbers("droplets", ("layer", "peak_over_median"), numbers)]


def layers(found: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Return what makes the features of blocks: name, such as `b8.conv0`, -> module."""
    return {
        f"{block}.{name}": child
        for block, module in found.items()
        for name, child in module.named_children()
        if name not in OTHERS
    }


def norms(features: Tensor) -> Tensor:
    """Return the norm [h, w] of the features [1, C, h, w] at every pixel: the root of the mean square."""
    return features[0].float().square().mean(0).sqrt().cpu()


def peak_over_median(values: Tensor) -> float:
    """Return the largest of [h, w] over their median; 1 for a map of zeros."""
    peak, median = values.max(), values.median()
    return float(peak / median) if peak > 0 else 1.0


def shrunk(values: Tensor, height: int, width: int) -> Tensor:
    """Return a map relative to its largest value; a map larger than its cell keeps its peaks, unlike a mean."""
    relative = values / values.max().clamp_min(1e-12)
    small = min(values.shape[0], height), min(values.shape[1], width)
    return F.adaptive_max_pool2d(relative[None], small)[0]  # [h, w]
