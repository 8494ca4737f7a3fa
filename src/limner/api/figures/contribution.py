"""What each resolution contributes to the picture.

Source: StyleGAN2 paper, Section 4.2 and Figure 8: the standard deviation of what each toRGB adds, as a share of their
sum, in the course of training. A generator that can grow shows what each of its toRGB shows alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from limner.api.figures.base import FigureContext, blocks, recorded, spread
from limner.checkpoints.networks import load_generator
from limner.images import to_pil
from limner.ops.upfirdn2d import upsample2d
from limner.papers.base import Generator
from limner.training.callbacks.curve import draw as draw_panels
from limner.training.history import Line, Panel

TITLE = "Contribution of each resolution"
SOURCE = "StyleGAN2 paper, Figure 8"
CAPTION = (
    "What the toRGB of each resolution adds to the picture, around its mean, with its share of the standard deviation; "
    "over a run the finer resolutions should take over (a growing generator: what each toRGB shows alone)."
)

NUM_SEEDS = 4
NUM_MEASURED = 8
"""Pictures whose deviations are averaged."""
MAX_SNAPSHOTS = 24
"""Most snapshots of a run on the chart, evenly spread."""


def draw(context: FigureContext) -> list[Path] | str:
    """Write the parts of pictures, their shares, and their course over the snapshots of a run."""
    generator = context.generator
    torgbs = [block for block in blocks(generator).values() if "torgb" in dict(block.named_children())]
    if len(torgbs) < 2:
        return "this generator has a single toRGB, at full resolution, so no other resolution adds to the picture"
    if len(parts(generator, context.ws(context.seeds[0]))) < 2:
        return [_levels(context, len(torgbs))]
    sheet, shares = _sheet(context)
    sides = [f"{4 * 2**level}" for level in range(len(shares))]
    rows = [(side, f"{share:.6g}") for side, share in zip(sides, shares, strict=True)]
    paths = [sheet, context.save_numbers("contribution", ("resolution", "share"), rows)]
    return paths + _chart(context)


@torch.no_grad()
def parts(generator: Generator, ws: Tensor) -> list[Tensor]:
    """Return what each toRGB adds to the picture of ws [1, num_ws, w_dim], at full size: [1, C, H, W] each.

    They sum to the picture. A generator that grows has one part, the picture.
    """
    found = blocks(generator)
    torgbs = {name: module for name, block in found.items() for key, module in block.named_children() if key == "torgb"}
    with recorded(torgbs) as outputs:
        generator.synthesis(ws, lod=float(math.ceil(generator.lod)))
    added = list(outputs)
    for index, name in enumerate(added):
        for finer in added[index + 1 :]:
            outputs[name] = upsample2d(outputs[name], found[finer].get_buffer("kernel"))
    return [outputs[name] for name in added]


def deviations(generator: Generator, codes: Sequence[Tensor]) -> list[float]:
    """Return the standard deviation over pixels of every part, its root mean square over pictures and channels."""
    variances = torch.stack([_variances(parts(generator, ws)) for ws in codes])  # [pictures, levels]
    return variances.mean(0).sqrt().tolist()


def shares_of(values: Sequence[float]) -> list[float]:
    """Return values as shares of their sum."""
    total = sum(values) or 1.0
    return [value / total for value in values]


def _variances(images: Sequence[Tensor]) -> Tensor:
    """Return the variances [levels] over the pixels of pictures [1, C, H, W], means over channels."""
    return torch.stack([image.var((2, 3), correction=0).mean().cpu() for image in images])


def _sheet(context: FigureContext) -> tuple[Path, list[float]]:
    generator = context.generator
    shares = shares_of(deviations(generator, [context.ws(seed) for seed in context.first_seeds(NUM_MEASURED)]))
    cells = []
    seeds = context.first_seeds(NUM_SEEDS)
    for seed in seeds:
        ws = context.ws(seed)
        centred = [part - part.mean((1, 2, 3), keepdim=True) for part in parts(generator, ws)]
        cells.append([context.picture(ws), *to_pil(torch.cat(centred))])
    columns = ["picture", *(f"{4 * 2**level} px\n{share:.1%}" for level, share in enumerate(shares))]
    return context.save_table("contribution", cells, rows=[f"seed {seed}" for seed in seeds], columns=columns), shares


def _levels(context: FigureContext, count: int) -> Path:
    """Write what the toRGB of every level in use shows, the base grid first."""
    generator, seeds = context.generator, context.first_seeds(NUM_SEEDS)
    lods = range(count - 1, math.ceil(generator.lod) - 1, -1)
    cells, captions = [], []
    for seed in seeds:
        with torch.no_grad():
            images = torch.cat([generator.synthesis(context.ws(seed), lod=float(lod)) for lod in lods])
        cells.append(to_pil(images))
        captions.append([f"std {float(variance.sqrt()):.2g}" for variance in images.var((2, 3), correction=0).mean(1)])
    columns = [f"{4 * 2 ** (count - 1 - lod)} px" for lod in lods]
    rows = [f"seed {seed}" for seed in seeds]
    return context.save_table("contribution", cells, rows=rows, columns=columns, captions=captions)


def _chart(context: FigureContext) -> list[Path]:
    """Write the course of the shares over the snapshots of a run; nothing for fewer than two."""
    found = [] if context.run_dir is None else (context.run_dir / "snapshots").glob("*")
    snapshots = sorted((path for path in found if path.name.isdigit()), key=lambda path: int(path.name))
    if len(snapshots) < 2:
        return []
    kimg, values = [], []
    for snapshot in spread(snapshots, MAX_SNAPSHOTS):
        generator = load_generator(snapshot, device=context.generator.w_avg.device)
        then = dataclasses.replace(context, generator=generator)
        codes = [then.ws(seed) for seed in then.first_seeds(NUM_MEASURED)]
        kimg.append(float(snapshot.name))
        values.append(deviations(generator, codes))
    panels = [
        _panel("Share of each resolution", kimg, [shares_of(row) for row in values]),
        _panel("Standard deviation of each resolution", kimg, values),
    ]
    path = context.out / "contribution-run.png"
    draw_panels(panels, path, "Contribution of each resolution")
    return [path]


def _panel(title: str, kimg: Sequence[float], values: Sequence[Sequence[float]]) -> Panel:
    lines = [
        Line(label=f"{4 * 2**level} px", kimg=tuple(kimg), values=line)
        for level, line in enumerate(zip(*values, strict=True))
    ]
    return Panel(title=title, lines=tuple(lines), from_zero=True)
