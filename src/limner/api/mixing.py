"""Style mixing: the layers of one picture's w taken from another's.

Source: StyleGAN paper, Section 3.1 and Figure 3. Picture (row, column) is the row's w with the chosen layers replaced
by the column's. At 64 pixels and more, `coarse` is layers 0-3 (4x4 to 8x8), `middle` 4-7 (16x16 to 32x32) and `fine`
the rest, as in the paper; a generator with at most 8 layers is divided into thirds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner.api.found import render
from limner.api.generation import Label, Progress, record_command, seed_list
from limner.api.inverting import open_generator
from limner.api.subjects import Subject, is_seeds, open_codes
from limner.errors import ConfigError, closest
from limner.images import labelled_sheet, save_png, to_pil
from limner.latents import parse_seeds
from limner.papers.base import NoiseMode
from limner.runtime import expand

COARSE_END, MIDDLE_END = 4, 8
"""First middle and first fine layer of generators with more than 8 layers (StyleGAN paper, Figure 3)."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What `mix` made."""

    layers: list[int]
    """Layers taken from the columns."""
    paths: list[Path]
    """Files written, the sheet last."""


def named_layers(num_ws: int) -> dict[str, range]:
    """Return the layers called `coarse`, `middle` and `fine` in a generator with `num_ws` layers."""
    middle, fine = (COARSE_END, MIDDLE_END) if num_ws > MIDDLE_END else (-(-num_ws // 3), -(-2 * num_ws // 3))
    return {"coarse": range(middle), "middle": range(middle, fine), "fine": range(fine, num_ws)}


def parse_layers(text: str, num_ws: int) -> list[int]:
    """Return the layers meant by `coarse`, `middle`, `fine`, or numbers and ranges such as `0-3,6`.

    Raises:
        ConfigError: another word, a number beyond the generator's layers, or no layer at all.
    """
    names = named_layers(num_ws)
    if text in names:
        layers = list(names[text])
    elif not text[:1].isdigit():
        raise ConfigError(
            f"layers: got '{text}', expected {', '.join(names)}, or numbers such as 0-3.{closest(text, names)}"
        )
    else:
        layers = sorted(set(parse_seeds(text)))
    if not layers:
        raise ConfigError(f"layers: a generator with {num_ws} layers has none that are {text}; give numbers")
    if layers[-1] >= num_ws:
        raise ConfigError(f"layers: got {layers[-1]}, expected 0 to {num_ws - 1}; this generator has num_ws={num_ws}")
    return layers


def mix(
    checkpoint: str | Path,
    out: str | Path,
    *,
    rows: str | Path | Sequence[int],
    cols: str | Path | Sequence[int],
    layers: str = "coarse",
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    noise_mode: NoiseMode = "const",
    label: Label = None,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Mixture:
    """Write a style-mixing sheet: the sources on its edges, every mixture inside.

    Args:
        checkpoint: see `load`.
        out: a .png for the sheet alone; or a folder, which also gets `{row}-{column}.png` of every picture.
        rows: the pictures that keep their other layers: seeds, or codes (see `subjects.open_codes`).
        cols: the pictures whose `layers` are taken, likewise.
        layers: see `parse_layers`.
        truncation_psi: of seeds; see `Generator.sample`, as the next three.
        truncation_cutoff: see there.
        noise_mode: see there; random noise is drawn from the row's seed, or place. A row that was found with noise maps
            and weights of its own is drawn with these.
        label: see there.
        device: see `load`.
        command: recorded in `command.txt` of a folder when given.
        progress: called after every picture.

    Raises:
        CheckpointError: see `load` and `subjects.open_codes`.
        ConfigError: a seed, layer or setting out of range.
        LimnerError: a file cannot be written.
    """
    target = expand(out)
    if target.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"'{target}': got ending '{target.suffix}', expected a .png or a folder")
    generator, identity = open_generator(checkpoint, device)
    chosen = parse_layers(layers, generator.num_ws)
    truncation: dict[str, Any] = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}

    def subjects(given: str | Path | Sequence[int]) -> list[Subject]:
        if isinstance(given, str | Path) and not is_seeds(given):
            c = generator.label_vector(label) if label is not None or generator.c_dim else None
            return open_codes(given, generator, identity, c)
        assert not isinstance(given, Path)
        seeds = seed_list(given)
        return [
            Subject(name=str(seed), ws=generator.seed_to_ws(seed, label=label, **truncation), seed=seed)
            for seed in seeds
        ]

    sides = subjects(rows), subjects(cols)
    by_name = {subject.name: subject for subject in sides[0]}
    sides = sides[0], [_apart(subject, by_name.get(subject.name)) for subject in sides[1]]
    sources = {subject.name: subject for side in sides for subject in side}
    total, done = len(sources) + len(sides[0]) * len(sides[1]), 0

    def draw(ws: Tensor, place: int, subject: Subject) -> Image.Image:
        nonlocal done
        with torch.no_grad():
            noise = generator.noise_arguments(noise_mode, place if subject.seed is None else subject.seed)
            drawn = generator.synthesis(ws, **noise) if subject.found is None else render(generator, ws, subject.found)
        done += 1
        if progress:
            progress(done, total)
        return to_pil(drawn)[0]

    heads = {name: draw(subject.ws, place, subject) for place, (name, subject) in enumerate(sources.items())}
    cells = [[draw(mixed(row.ws, col.ws, chosen), i, row) for col in sides[1]] for i, row in enumerate(sides[0])]
    names = [[subject.name for subject in side] for side in sides]
    paths = _write(target, heads, cells, *names)
    if target.suffix.lower() != ".png":
        record_command(target, command)
    return Mixture(layers=chosen, paths=paths)


def _apart(subject: Subject, other: Subject | None) -> Subject:
    """Return a column under another name where a row of its name is another picture."""
    is_same = other is None or torch.equal(subject.ws, other.ws)
    return subject if is_same else replace(subject, name=f"{subject.name}-col")


def _write(
    target: Path,
    heads: Mapping[str, Image.Image],
    cells: Sequence[Sequence[Image.Image]],
    rows: Sequence[str],
    cols: Sequence[str],
) -> list[Path]:
    """Write the sheet, and into a folder every picture before it."""
    sheet = labelled_sheet(
        cells,
        [heads[name] for name in rows],
        [heads[name] for name in cols],
        row_captions=rows,
        column_captions=cols,
    )
    if target.suffix.lower() == ".png":
        return [save_png(sheet, target)]
    pictures = {f"{name}-{name}.png": picture for name, picture in heads.items()}
    for row, line in zip(rows, cells, strict=True):
        pictures |= {f"{row}-{col}.png": picture for col, picture in zip(cols, line, strict=True)}
    paths = [save_png(picture, target / name) for name, picture in pictures.items()]
    return [*paths, save_png(sheet, target / "grid.png")]


def mixed(row: Tensor, col: Tensor, layers: Sequence[int]) -> Tensor:
    """Return `row` [N, num_ws, w_dim] with `layers` taken from `col`."""
    ws = row.clone()
    ws[:, list(layers)] = col[:, list(layers)]
    return ws
