"""The pictures that codes stand for: seeds, files of latents, folders of inverted pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from limner.api.found import FOLDER_NAME, RECORD_NAME, Found, load_folder, render
from limner.api.generation import Label, Progress, record_command
from limner.api.inverting import open_generator
from limner.errors import CheckpointError
from limner.images import contact_sheet, save_png, to_pil
from limner.latents import Latents, parse_seeds, seeds_to_z
from limner.papers.base import Generator
from limner.runtime import expand


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A picture as its code."""

    name: str
    ws: Tensor
    """[1, num_ws, w_dim]."""
    z: Tensor | None = None
    """[1, z_dim]; None where only ws are known."""
    seed: int | None = None
    """Where it is the picture of a seed."""
    found: Found | None = None
    """Noise maps and weights that belong to it."""


def open_codes(codes: str | Path, generator: Generator, identity: str, c: Tensor | None) -> list[Subject]:
    """Return the pictures that a folder of `invert`, a file in its `found`, a file of latents, or seeds stand for.

    Raises:
        CheckpointError: codes that are damaged, or of another generator.
        ConfigError: text that is no list of seeds.
    """
    path = expand(codes)
    device = generator.w_avg
    home = path.parent.parent
    is_one = path.is_file() and path.parent.name == FOLDER_NAME and (home / RECORD_NAME).is_file()
    if is_one or (path / FOLDER_NAME).is_dir():
        found = load_folder(home if is_one else path, generator, identity)
        chosen = [f for f in found if not is_one or f.name == path.stem]
        if not chosen:
            raise CheckpointError(f"'{path}' is not in the record of its folder; run limner invert once more")
        return [
            Subject(
                name=f.name,
                ws=f.ws[None].to(device),
                z=f.code[None].to(device) if f.space == "z" else None,
                found=f,
            )
            for f in chosen
        ]
    if path.suffix in (".safetensors", ".npz"):
        return _latents_subjects(path, generator, identity, c)
    if is_seeds(codes):
        seeds = parse_seeds(str(codes))
        z = seeds_to_z(seeds, generator.z_dim).to(device)
        ws = _mapped(generator, z, c)
        return [Subject(name=f"seed{s:04d}", ws=ws[i : i + 1], z=z[i : i + 1], seed=s) for i, s in enumerate(seeds)]
    raise CheckpointError(
        f"codes: got '{codes}', expected a folder of limner invert, a file of latents (.safetensors, .npz), or seeds "
        "such as 0-3,7"
    )


def is_seeds(codes: str | Path | Sequence[int]) -> bool:
    """Whether codes are given as seeds: numbers, or text such as `0-3,7` that names no file or folder."""
    return not isinstance(codes, str | Path) or (str(codes)[:1].isdigit() and not expand(codes).exists())


def draw_codes(
    checkpoint: str | Path,
    out: str | Path,
    *,
    codes: str | Path,
    grid: bool = False,
    label: Label = None,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> list[Path]:
    """Write the pictures of codes to a folder, `NAME.png` each; what was found with noise maps and weights has them.

    Args:
        checkpoint: see `load`.
        out: folder; made when missing.
        codes: see `open_codes`.
        grid: write all pictures on one labelled sheet, `grid.png`, besides.
        label: class of latents in Z of a conditional generator.
        device: see `load`.
        command: recorded in `command.txt` when given.
        progress: called after every picture.

    Returns:
        The pictures written, the sheet last.

    Raises:
        CheckpointError: see `load` and `open_codes`.
        ConfigError: see `open_codes`.
        LimnerError: a file cannot be written.
    """
    generator, identity = open_generator(checkpoint, device)
    c = generator.label_vector(label) if label is not None or generator.c_dim else None
    subjects = open_codes(codes, generator, identity, c)
    folder = expand(out)
    paths: list[Path] = []
    pictures: list[Image.Image] = []
    for done, subject in enumerate(subjects, 1):
        pictures += to_pil(render(generator, subject.ws, subject.found))
        paths.append(save_png(pictures[-1], folder / f"{subject.name}.png"))
        if progress:
            progress(done, len(subjects))
    if grid:
        sheet = contact_sheet(pictures, [subject.name for subject in subjects])
        paths.append(save_png(sheet, folder / "grid.png"))
    record_command(folder, command)
    return paths


def _latents_subjects(path: Path, generator: Generator, identity: str, c: Tensor | None) -> list[Subject]:
    latents = Latents.load(path)
    if latents.fingerprint not in ("", identity):
        raise CheckpointError(
            f"'{path}' holds codes of generator {latents.fingerprint}, expected {identity}; codes serve the generator "
            "they were found with"
        )
    values = latents.values.to(generator.w_avg)
    expected = {"z": (generator.z_dim,), "w": (generator.w_dim,), "w+": (generator.num_ws, generator.w_dim)}
    if tuple(values.shape[1:]) != expected[latents.space]:
        raise CheckpointError(
            f"'{path}' holds codes of {list(values.shape[1:])} in {latents.space}, this generator's are "
            f"{list(expected[latents.space])}; they are of another generator"
        )
    if latents.space == "z":
        ws = _mapped(generator, values, c)
    else:
        ws = values if latents.space == "w+" else values[:, None].expand(-1, generator.num_ws, -1)
    zs = values if latents.space == "z" else None
    return [
        Subject(name=f"{path.stem}-{i}", ws=ws[i : i + 1], z=None if zs is None else zs[i : i + 1])
        for i in range(len(ws))
    ]


@torch.no_grad()
def _mapped(generator: Generator, z: Tensor, c: Tensor | None) -> Tensor:
    return generator.mapping(z, None if c is None else c.expand(len(z), -1))
