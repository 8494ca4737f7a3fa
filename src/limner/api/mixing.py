"""Style mixing: the layers of one picture's w taken from another's.

Source: StyleGAN paper, Section 3.1 and Figure 3. Picture (row, column) is the row's w with the chosen layers replaced
by the column's. At 64 pixels and more, `coarse` is layers 0-3 (4x4 to 8x8), `middle` 4-7 (16x16 to 32x32) and `fine`
the rest, as in the paper; a generator with at most 8 layers is divided into thirds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from limner.api.generation import Label, Progress, load, record_command, seed_list
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
    rows: str | Sequence[int],
    cols: str | Sequence[int],
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
        rows: seeds of the pictures that keep their other layers.
        cols: seeds of the pictures whose `layers` are taken.
        layers: see `parse_layers`.
        truncation_psi: see `Generator.sample`, as the next three.
        truncation_cutoff: see there.
        noise_mode: see there; random noise is drawn from the row's seed.
        label: see there.
        device: see `load`.
        command: recorded in `command.txt` of a folder when given.
        progress: called after every picture.

    Raises:
        CheckpointError: see `load`.
        ConfigError: a seed, layer or setting out of range.
        LimnerError: a file cannot be written.
    """
    target = expand(out)
    if target.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"'{target}': got ending '{target.suffix}', expected a .png or a folder")
    row_seeds, col_seeds = seed_list(rows), seed_list(cols)
    generator = load(checkpoint, device)
    chosen = parse_layers(layers, generator.num_ws)
    ws = {
        seed: generator.seed_to_ws(
            seed, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff, label=label
        )
        for seed in dict.fromkeys([*row_seeds, *col_seeds])
    }
    total = len(ws) + len(row_seeds) * len(col_seeds)
    done = 0

    def draw(code: Tensor, seed: int) -> Image.Image:
        nonlocal done
        with torch.no_grad():
            (picture,) = to_pil(generator.synthesis(code, **generator.noise_arguments(noise_mode, seed)))
        done += 1
        if progress:
            progress(done, total)
        return picture

    heads = {seed: draw(code, seed) for seed, code in ws.items()}
    cells = [[draw(mixed(ws[row], ws[col], chosen), row) for col in col_seeds] for row in row_seeds]
    paths = _write(target, heads, cells, row_seeds, col_seeds)
    if target.suffix.lower() != ".png":
        record_command(target, command)
    return Mixture(layers=chosen, paths=paths)


def _write(
    target: Path,
    heads: Mapping[int, Image.Image],
    cells: Sequence[Sequence[Image.Image]],
    row_seeds: Sequence[int],
    col_seeds: Sequence[int],
) -> list[Path]:
    """Write the sheet, and into a folder every picture before it."""
    sheet = labelled_sheet(
        cells,
        [heads[seed] for seed in row_seeds],
        [heads[seed] for seed in col_seeds],
        row_captions=[str(seed) for seed in row_seeds],
        column_captions=[str(seed) for seed in col_seeds],
    )
    if target.suffix.lower() == ".png":
        return [save_png(sheet, target)]
    pictures = {f"{seed}-{seed}.png": picture for seed, picture in heads.items()}
    for row, line in zip(row_seeds, cells, strict=True):
        pictures |= {f"{row}-{col}.png": picture for col, picture in zip(col_seeds, line, strict=True)}
    paths = [save_png(picture, target / name) for name, picture in pictures.items()]
    return [*paths, save_png(sheet, target / "grid.png")]


def mixed(row: Tensor, col: Tensor, layers: Sequence[int]) -> Tensor:
    """Return `row` [N, num_ws, w_dim] with `layers` taken from `col`."""
    ws = row.clone()
    ws[:, list(layers)] = col[:, list(layers)]
    return ws
