"""Moving codes along directions, ending in a labelled sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from limner.api.found import render
from limner.api.generation import Label, Progress, record_command
from limner.api.inverting import open_generator
from limner.api.mixing import parse_layers
from limner.api.subjects import Subject, open_codes
from limner.checkpoints import embedded
from limner.editing.base import Direction
from limner.editing.engine.conditional import conditioned
from limner.editing.engine.samples import sampled_codes
from limner.editing.engine.styles import shifted, style_layers, styles
from limner.errors import ConfigError
from limner.images import labelled_sheet, save_png, to_pil
from limner.papers.base import Generator
from limner.runtime import expand

NUM_SAMPLES = 2000
"""Codes the standard deviation of a conditional direction is measured on."""
SHEET_NAME = "edit.png"


@dataclass(frozen=True, kw_only=True)
class Edited:
    """What `edit` made."""

    direction: Direction
    """The one that was followed."""
    strengths: list[float]
    paths: list[Path]
    """Files written, the sheet last."""


def parse_strengths(text: str) -> list[float]:
    """Read `-3:3:7` (from, to, how many) or numbers with commas between.

    Raises:
        ConfigError: it is neither.
    """
    try:
        if ":" in text:
            first, last, count = text.split(":")
            strengths = [float(value) for value in np.linspace(float(first), float(last), int(count))]
        else:
            strengths = [float(part) for part in text.split(",")]
    except ValueError:
        strengths = []
    if not strengths or not np.isfinite(strengths).all():
        raise ConfigError(f"strength: got '{text}', expected from:to:count such as -3:3:7, or numbers such as -2,0,2")
    return strengths


def edit(
    checkpoint: str | Path,
    codes: str | Path,
    out: str | Path,
    *,
    direction: str | Path,
    strength: str | Sequence[float] = "-3:3:7",
    layers: str | None = None,
    given: Sequence[str | Path] = (),
    label: Label = None,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Edited:
    """Move codes along a direction and write every picture and a sheet: rows are codes, columns are strengths.

    The column heads are the average picture of the generator, moved as far; in z, whose average maps nowhere, seed 0's.

    Args:
        checkpoint: see `load`.
        codes: a folder of `invert`, a file of latents (.safetensors, or .npz of a projector), or seeds such as `0-3,7`.
        out: a .png for the sheet alone; or a folder, which also gets `NAME_STRENGTH.png` of every picture.
        direction: a file of `limner directions`; its ending may be left out.
        strength: in standard deviations; see `parse_strengths`.
        layers: of w to move, see `mixing.parse_layers`; None: the direction's own.
        given: directions of what is to stay as it is.
        label: class of seeds of a conditional generator.
        device: see `load`.
        command: recorded in `command.txt` of a folder when given.
        progress: called after every picture.

    Raises:
        CheckpointError: see `load`; codes or directions that are damaged or of another generator.
        ConfigError: strengths, layers, seeds or conditions that do not fit.
        LimnerError: a file cannot be written.
    """
    strengths = parse_strengths(strength) if isinstance(strength, str) else list(strength)
    target = expand(out)
    generator, identity = open_generator(checkpoint, device)
    c = generator.label_vector(label) if label is not None or generator.c_dim else None
    ways = [Direction.load(embedded.resolve(path)) for path in (direction, *given)]
    for way in ways:
        way.check(generator, identity)
    subjects = open_codes(codes, generator, identity, c)
    way = conditioned(ways[0], ways[1:], _samples(generator, ways[0], c)) if given else ways[0]
    chosen = None if layers is None else parse_layers(layers, generator.num_ws)
    mover = Mover(generator, way, chosen, c)
    if way.space == "z":
        (average,) = open_codes("0", generator, identity, c)
    else:
        average = Subject(name="average", ws=generator.w_avg.expand(1, generator.num_ws, -1))
    cells = _moved(mover, [average, *subjects], strengths, progress)
    sources = [to_pil(render(generator, subject.ws, subject.found))[0] for subject in subjects]
    paths = _write(target, [subject.name for subject in subjects], sources, cells, strengths)
    if target.suffix.lower() != ".png":
        record_command(target, command)
    return Edited(direction=way, strengths=strengths, paths=paths)


def _moved(
    mover: Mover, subjects: Sequence[Subject], strengths: Sequence[float], progress: Progress | None
) -> list[list[Image.Image]]:
    """Return a row of pictures for every subject."""
    cells: list[list[Image.Image]] = []
    for row, subject in enumerate(subjects):
        cells.append([])
        for column, value in enumerate(strengths, 1):
            cells[-1] += to_pil(mover.picture(subject, value))
            if progress:
                progress(row * len(strengths) + column, len(subjects) * len(strengths))
    return cells


def _write(
    target: Path,
    names: Sequence[str],
    sources: Sequence[Image.Image],
    cells: Sequence[Sequence[Image.Image]],
    strengths: Sequence[float],
) -> list[Path]:
    """Write the sheet, whose heads are the first row of `cells`, and into a folder every other picture before it."""
    heads, *rows = cells
    captions = [shown(value) for value in strengths]
    sheet = labelled_sheet(rows, sources, heads, row_captions=names, column_captions=captions)
    if target.suffix.lower() == ".png":
        return [save_png(sheet, target)]
    paths = [
        save_png(picture, target / f"{name}_{caption}.png")
        for name, row in zip(names, rows, strict=True)
        for caption, picture in zip(captions, row, strict=True)
    ]
    return [*paths, save_png(sheet, target / SHEET_NAME)]


class Mover:
    """Makes the picture of a subject moved along a direction, whatever its space."""

    def __init__(self, generator: Generator, way: Direction, layers: Sequence[int] | None, c: Tensor | None) -> None:
        self.generator, self.way, self.layers, self.c = generator, way, layers, c
        self._styles = style_layers(generator) if way.space == "s" else []
        if way.space == "s" and layers is not None:
            raise ConfigError(
                f"direction '{way.name}' moves one style channel, which has its layer; leave --layers out"
            )

    @torch.no_grad()
    def picture(self, subject: Subject, strength: float) -> Tensor:
        """Return the picture [1, C, H, W] of a subject moved by `strength` standard deviations."""
        way = self.way
        if way.space == "s":
            offset = (strength * way.deviation * way.vector).to(subject.ws)
            with shifted(self._styles, offset):
                return render(self.generator, subject.ws, subject.found)
        if way.space == "z":
            if subject.z is None:
                raise ConfigError(
                    f"direction '{way.name}' is in z, but '{subject.name}' is known in w alone; edit seeds, or invert "
                    "with --space z"
                )
            ws = self.generator.mapping(way.apply(subject.z, strength, self.layers), self.c)
        else:
            ws = way.apply(subject.ws, strength, self.layers)
        return render(self.generator, ws, subject.found)


def shown(strength: float) -> str:
    """Return a strength as captions and file names show it, with its sign."""
    return f"{strength:+.3g}" if strength else "0"


def _samples(generator: Generator, way: Direction, c: Tensor | None) -> Tensor:
    """Return sampled codes in the space of a direction."""
    z, ws = sampled_codes(generator, NUM_SAMPLES, c)
    if way.space == "z":
        return z.cpu()
    if way.space == "s":
        return styles(style_layers(generator), ws).cpu()
    return ws.cpu()
