"""The same seeds over a run: how a growing network fades its resolutions in.

Source: ProGAN paper, Figures 1 and 2. The pictures are those of the run's sample grids.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from limner.api.figures.base import FigureContext, spread
from limner.checkpoints.io import load_config
from limner.config import Resolution, RunConfig
from limner.training.callbacks.samples import grid_paths
from limner.training.schedule import moment

TITLE = "Growth"
SOURCE = "ProGAN paper, Figure 1"
CAPTION = (
    "The same latents over the run: a growing network settles the large forms first, and while a resolution fades in "
    "(alpha below 1) detail appears without breaking them."
)

NUM_PICTURES = 5
MAX_COLUMNS = 12


def draw(context: FigureContext) -> list[Path] | str:
    """Write one row a latent and one column a moment of the run."""
    if context.run_dir is None:
        return "it needs the history of a run; give the run's folder"
    grids = grid_paths(context.run_dir)
    if len(grids) < 2:
        return f"it needs at least two sample grids, and the run has {len(grids)}"
    config = load_config(context.run_dir)
    shown = spread(grids, MAX_COLUMNS)
    pictures = [_pictures(path, config.data.resolution) for path in shown]
    cells = list(zip(*pictures, strict=True))
    rows = [f"seed {place}" for place in _places(shown[0], config.data.resolution)]
    return [context.save_table("growth", cells, rows=rows, columns=[caption(config, float(p.stem)) for p in shown])]


def caption(config: RunConfig, kimg: float) -> str:
    """Return what a run trained after `kimg`: for a growing one with its resolution and fade."""
    text = f"{kimg:g} kimg"
    if not config.schedule.grow:
        return text
    now = moment(config, round(kimg * 1000))
    return f"{text}\n{now.resolution} px" + (f"\nalpha {1 - now.lod % 1:.2f}" if now.lod % 1 else "")


def _places(path: Path, resolution: Resolution) -> list[int]:
    """Return the cells shown: evenly spread over a grid, so that classes, a row each, all have a chance."""
    with Image.open(path) as grid:
        count = (grid.width // resolution[1]) * (grid.height // resolution[0])
    return [index * count // NUM_PICTURES for index in range(min(NUM_PICTURES, count))]


def _pictures(path: Path, resolution: Resolution) -> list[Image.Image]:
    height, width = resolution
    places = _places(path, resolution)
    with Image.open(path) as grid:
        columns = grid.width // width
        corners = [(place % columns * width, place // columns * height) for place in places]
        return [grid.crop((left, top, left + width, top + height)) for left, top in corners]
