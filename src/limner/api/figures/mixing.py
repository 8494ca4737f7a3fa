"""Style mixing: layers of one picture's w taken from another's.

Source: StyleGAN paper, Figure 3 (coarse, middle and fine styles of the sources on top), and Table 2 (1 to 4 latents
mixed at random crossovers).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from limner.api.figures.base import FigureContext
from limner.api.mixing import mixed, named_layers

TITLE = "Style mixing"
SOURCE = "StyleGAN paper, Figure 3"
CAPTION = (
    "Coarse styles of the pictures on top bring their pose and shape to those on the left, middle ones features, fine "
    "ones colours; on the second sheet 1 to 4 latents are mixed at random crossovers and pictures should stay whole."
)

ROWS = {"coarse": 3, "middle": 2, "fine": 1}
"""Rows that take these layers from the sources."""
NUM_SOURCES = 5
MAX_LATENTS = 4


def draw(context: FigureContext) -> list[Path] | str:
    """Write the matrix and the sheet of several latents."""
    if context.num_layers == 1:
        return "one w controls the whole picture (num_ws = 1), so there are no layers to mix"
    return [_matrix(context), _several(context)]


def _matrix(context: FigureContext) -> Path:
    groups = {name: layers for name, layers in named_layers(context.num_layers).items() if layers}
    kinds = [name for name in groups for _ in range(ROWS[name])]
    seeds = context.first_seeds(NUM_SOURCES + len(kinds))
    codes = [context.ws(seed) for seed in seeds]
    sources, targets = codes[:NUM_SOURCES], codes[NUM_SOURCES:]
    cells = [[None, *(context.picture(source) for source in sources)]]
    for kind, target in zip(kinds, targets, strict=True):
        mixtures = [context.picture(mixed(target, source, groups[kind])) for source in sources]
        cells.append([context.picture(target), *mixtures])
    rows = [""]
    for kind, seed in zip(kinds, seeds[NUM_SOURCES:], strict=True):
        first, last = groups[kind][0], groups[kind][-1]
        rows.append(f"{kind}\nlayers {first}-{last}\nseed {seed}")
    columns = ["", *(f"seed {seed}" for seed in seeds[:NUM_SOURCES])]
    return context.save_table("mixing", cells, rows=rows, columns=columns)


def _several(context: FigureContext) -> Path:
    """Write rows of 1, 2, ... latents; the first latent of a column is the same in all of them."""
    counts = range(1, min(MAX_LATENTS, context.num_layers) + 1)
    seeds = context.first_seeds(NUM_SOURCES * counts[-1])
    codes = [context.ws(seed) for seed in seeds]
    stream = np.random.RandomState(seeds[0])
    cells = []
    for count in counts:
        pictures = []
        for column in range(NUM_SOURCES):
            cuts = np.sort(stream.permutation(context.num_layers - 1)[: count - 1] + 1)
            ws = codes[column]
            for part, cut in enumerate(cuts, 1):
                ws = mixed(ws, codes[column + part * NUM_SOURCES], range(cut, context.generator.num_ws))
            pictures.append(context.picture(ws))
        cells.append(pictures)
    rows = [f"{count} latent" + "s" * (count > 1) for count in counts]
    return context.save_table("mixing-latents", cells, rows=rows, columns=[f"seed {s}" for s in seeds[:NUM_SOURCES]])
