"""The truncation trick: w moved towards its average, and beyond.

Source: StyleGAN paper, Figure 8 (psi 1 to -1) and Appendix B (truncating the layers up to 32x32 only).
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from limner.api.figures.base import FigureContext
from limner.api.mixing import MIDDLE_END

TITLE = "Truncation"
SOURCE = "StyleGAN paper, Figure 8"
CAPTION = (
    "Psi from 1 to -1: at 0 all seeds meet in the average picture, and below it they turn into their opposites; on the "
    "second sheet, where there is one, only the layers up to 32x32 are truncated, so fine detail stays."
)

PSIS = (1.0, 0.7, 0.5, 0.0, -0.5, -1.0)
NUM_SEEDS = 4


def draw(context: FigureContext) -> list[Path]:
    """Write the sweep, and one with the cutoff where there are layers beyond it."""
    paths = [_sweep(context, "truncation", None)]
    if context.num_layers > MIDDLE_END:
        paths.append(_sweep(context, "truncation-cutoff", MIDDLE_END))
    return paths


def _sweep(context: FigureContext, name: str, cutoff: int | None) -> Path:
    seeds = context.first_seeds(NUM_SEEDS)

    def picture(seed: int, psi: float) -> Image.Image:
        ws = context.generator.seed_to_ws(seed, truncation_psi=psi, truncation_cutoff=cutoff, label=context.label)
        return context.picture(ws)

    cells = [[picture(seed, psi) for psi in PSIS] for seed in seeds]
    return context.save_table(name, cells, rows=[f"seed {s}" for s in seeds], columns=[f"psi {psi:g}" for psi in PSIS])
