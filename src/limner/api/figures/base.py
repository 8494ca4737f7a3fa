"""What a figure gets and gives.

A figure is a module of this folder. It exports `TITLE`; `SOURCE`, the paper's figure; `CAPTION`, a sentence on what to
see; and `draw(context)`, which writes labelled sheets and returns their paths, or returns a sentence on why the figure
does not apply to this generator. Its file name, with hyphens, is its name.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from limner.api.figures.tables import table
from limner.api.generation import Label
from limner.data import Dataset
from limner.images import save_png, to_pil
from limner.latents import NUM_SEEDS
from limner.papers.base import Generator
from limner.runtime import write_text

MIN_CELL, MAX_CELL = 128, 256
"""Longer side of a picture on a sheet: small pictures grow by a whole factor, large ones shrink, pixels."""


class Figure(Protocol):
    """What the module of a figure exports."""

    TITLE: str
    SOURCE: str
    """Paper and figure."""
    CAPTION: str
    """One sentence: what to see."""

    def draw(self, context: FigureContext) -> list[Path] | str:
        """Write the sheets and return their paths; or return why the figure does not apply."""


@dataclass(frozen=True, kw_only=True)
class FigureContext:
    """What a figure is drawn from."""

    generator: Generator
    seeds: tuple[int, ...]
    """Seeds to show; `first_seeds` gives as many as a figure needs."""
    out: Path
    """Folder for the sheets."""
    run_dir: Path | None = None
    """The run whose newest snapshot this is; None for a snapshot alone."""
    dataset: Dataset | None = None
    """Training pictures of the generator's size and channels; None when not given."""
    truncation_psi: float = 1.0
    """Truncation of every figure that is not about it."""
    label: Label = None
    """Class or label vector of a conditional generator."""

    def first_seeds(self, count: int) -> list[int]:
        """Return `count` seeds: those asked for, and, when they are too few, the numbers after the largest."""
        start = max(self.seeds) + 1
        more = [(start + index) % NUM_SEEDS for index in range(count - len(self.seeds))]
        return [*self.seeds[:count], *more]

    def ws(self, seed: int) -> Tensor:
        """Return the intermediate latents [1, num_ws, w_dim] of a seed."""
        return self.generator.seed_to_ws(seed, truncation_psi=self.truncation_psi, label=self.label)

    @torch.no_grad()
    def image(self, ws: Tensor, noises: Sequence[Tensor] | None = None) -> Tensor:
        """Return the picture [C, H, W] in [-1, 1] of ws [1, num_ws, w_dim], with its stored noise or with `noises`."""
        (image,) = self.generator.synthesis(ws, noises=noises).clamp(-1, 1).cpu()
        return image

    def picture(self, ws: Tensor) -> Image.Image:
        """Return the picture of ws [1, num_ws, w_dim] with its stored noise."""
        (picture,) = to_pil(self.image(ws)[None])
        return picture

    @property
    def num_layers(self) -> int:
        """Layers of ws in use: two less for every level that the generator has still to grow."""
        return max(self.generator.num_ws - 2 * math.floor(self.generator.lod), 1)

    @cached_property
    def cell(self) -> tuple[int, int]:
        """Width and height of a picture on a sheet, pixels."""
        height, width = self.generator.img_resolution
        longer = max(height, width)
        if longer <= MAX_CELL:
            factor = max(MIN_CELL // longer, 1)
            return width * factor, height * factor
        return max(width * MAX_CELL // longer, 1), max(height * MAX_CELL // longer, 1)

    def save_table(self, name: str, cells: Sequence[Sequence[Image.Image | None]], **captions: Any) -> Path:
        """Write pictures as a table (see `tables.table` for captions) to `name`.png and return its path."""
        return self.save(table(cells, self.cell, **captions), name)

    def save(self, sheet: Image.Image, name: str) -> Path:
        """Write a sheet to `name`.png and return its path."""
        return save_png(sheet, self.out / f"{name}.png")

    def save_numbers(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Write numbers to `name`.csv and return its path."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        return write_text(self.out / f"{name}.csv", text.getvalue())


def blocks(generator: Generator) -> dict[str, nn.Module]:
    """Return the blocks of a synthesis network, `b4` to the finest; every room names them so."""
    named = ((name.rpartition(".")[2], module) for name, module in generator.named_modules())
    return {name: module for name, module in named if re.fullmatch(r"b\d+", name)}


@contextmanager
def recorded(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Record what modules return while entered.

    Yields:
        name -> newest output, in the order of the calls; modules that were not called are absent.
    """
    outputs: dict[str, Tensor] = {}

    def record(name: str) -> Any:
        return lambda module, inputs, output: outputs.__setitem__(name, output)

    handles = [module.register_forward_hook(record(name)) for name, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def busiest_window(values: Tensor, share: int = 4) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the window, 1 / `share` of each side, with the largest sum.

    Args:
        values: [H, W] float.
        share: how many windows fit along a side.
    """
    height, width = (max(side // share, 1) for side in values.shape)
    sums = F.avg_pool2d(values[None, None], (height, width), stride=1)[0, 0]  # [H - h + 1, W - w + 1]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    return left, top, left + width, top + height


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return at most `count` of `paths`, evenly spread, the first and the last among them."""
    if len(paths) <= count:
        return list(paths)
    return [paths[round(index * (len(paths) - 1) / (count - 1))] for index in range(count)]


def grey(values: Tensor) -> Image.Image:
    """Return values [H, W], 0 black to 1 white, as a picture; what is beyond is cut."""
    return Image.fromarray((values.clamp(0, 1) * 255).round().byte().cpu().numpy())
