"""Semantic diffusion: parts of pictures grown into others, ending in a labelled sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner.api.generation import Label, Progress, record_command
from limner.api.inverting import open_encoder, open_generator
from limner.api.pictures import read_one
from limner.errors import ConfigError
from limner.images import labelled_sheet, save_png, strip, to_pil
from limner.inversion import in_domain
from limner.inversion.base import Inversion, Step
from limner.inversion.engine.diffusion import SETTINGS, diffuse, parse_box, stitched
from limner.inversion.engine.terms import load_network
from limner.papers.base import Generator
from limner.runtime import expand

SHEET_NAME = "diffuse.png"


@dataclass(frozen=True, kw_only=True)
class Diffused:
    """What `diffuse_pictures` made."""

    paths: list[Path]
    """Files written, the sheet last."""
    remarks: tuple[str, ...]
    """Sentences on what was done to pictures."""


def diffuse_pictures(
    checkpoint: str | Path,
    out: str | Path,
    *,
    targets: Sequence[str | Path],
    contexts: Sequence[str | Path],
    box: str,
    encoder: str | Path | None = None,
    steps: int | None = None,
    lr: float | None = None,
    domain_weight: float | None = None,
    perceptual: str = "auto",
    label: Label = None,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Diffused:
    """Grow a part of every target into every context.

    The folder gets for every pair `TARGET-CONTEXT.png` and a strip of how it came about, the codes of all, and the
    sheet `diffuse.png`: rows are targets, columns are contexts.

    Args:
        checkpoint: see `load`.
        out: folder; made when missing.
        targets: pictures a part is taken from.
        contexts: pictures it is grown into.
        box: the part, `x,y,width,height` in pixels of the generator's pictures.
        encoder: see `InvertRequest`.
        steps: updates; None: those of the published code.
        lr: learning rate; None: the same.
        domain_weight: weight of the encoder's term; None: the same, 0.
        perceptual: see `InvertRequest`.
        label: class or label vector, for a conditional generator.
        device: see `load`.
        command: recorded in `command.txt` when given.
        progress: called with (steps done, steps in all).

    Raises:
        CheckpointError: see `load`; or the encoder is missing, damaged or of another generator.
        ConfigError: a box outside the picture, no encoder, or a setting out of range.
        DataError: a picture that cannot be read.
        LimnerError: a file cannot be written.
    """
    if not targets or not contexts:
        raise ConfigError("diffuse: expected at least one target and one context, got none; name pictures")
    place = parse_box(box)
    generator, identity = open_generator(checkpoint, device)
    mask = place.mask(generator.img_resolution)
    given: dict[str, Any] = {"steps": steps, "lr": lr, "domain_weight": domain_weight}
    method = in_domain.Method(
        replace(SETTINGS, **{key: value for key, value in given.items() if value is not None}),
        encoder=open_encoder(encoder, checkpoint, generator, identity),
        perceptual=load_network(perceptual, generator.w_avg.device),
    )
    folder = expand(out)
    wanted, remarks = _read(targets, generator, "target")
    around, more = _read(contexts, generator, "context")
    a = torch.stack([image for _, image in wanted for _ in around])  # [N, C, H, W], rows of the sheet one by one
    b = torch.stack([image for _ in wanted for _, image in around])
    first: list[Tensor] = []

    def on_step(step: Step) -> None:
        if not first:
            first.append(step.images)
        if progress:
            progress(step.number + 1, step.total + 1)

    device_of = generator.w_avg
    c = generator.label_vector(label)
    made = diffuse(method, generator, a.to(device_of), b.to(device_of), place, c=c, on_step=on_step)
    stages = [to_pil(images) for images in (a, b, stitched(a, b, mask), first[0], made.images)]
    made = replace(made, latents=replace(made.latents, fingerprint=identity))
    paths = _write(folder, [name for name, _ in wanted], [name for name, _ in around], stages, made)
    record_command(folder, command)
    return Diffused(paths=paths, remarks=(*remarks, *more))


def _write(
    folder: Path, rows: Sequence[str], columns: Sequence[str], stages: Sequence[list[Image.Image]], made: Inversion
) -> list[Path]:
    """Write the result of every pair (rows of the sheet one by one), its strip, the codes and the sheet."""
    targets, contexts, *_, results = stages
    paths = []
    for index, (row, column) in enumerate((row, column) for row in rows for column in columns):
        paths.append(save_png(results[index], folder / f"{row}-{column}.png"))
        captions = ["target", "context", "pasted", "encoded", f"step {int(made.kept_step[index])}"]
        paths.append(
            save_png(strip([stage[index] for stage in stages], captions), folder / f"{row}-{column}-strip.png")
        )
    paths.append(made.latents.save(folder / "codes.safetensors"))
    width = len(columns)
    sheet = labelled_sheet(
        [results[first : first + width] for first in range(0, len(results), width)],
        targets[::width],
        contexts[:width],
        row_captions=rows,
        column_captions=columns,
    )
    return [*paths, save_png(sheet, folder / SHEET_NAME)]


def _read(paths: Sequence[str | Path], generator: Generator, what: str) -> tuple[list[tuple[str, Tensor]], list[str]]:
    """Return the names and pictures [C, H, W] of files, and remarks on them."""
    pictures, remarks = [], []
    for path in paths:
        image, remark = read_one(path, generator, what)
        pictures.append((Path(path).stem, image))
        remarks += [remark] if remark else []
    return pictures, remarks
