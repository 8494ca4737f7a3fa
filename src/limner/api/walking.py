"""Closed walks through the pictures of seeds or codes, as animations, or as a sheet of the ways between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from limner.api.generation import Label, Progress, seed_list
from limner.api.inverting import open_generator
from limner.api.subjects import Subject, open_codes
from limner.errors import ConfigError, closest
from limner.images import grid, save_png, strip, to_pil, write_animation
from limner.latents import Mode, seeds_to_z, walk
from limner.papers.base import NoiseMode
from limner.runtime import expand

Space = Literal["w", "z"]
SHEET_STEPS = 6
"""Pictures from one to the next on a sheet."""
DEFAULT_MODES: dict[str, Mode] = {"w": "cubic", "z": "slerp"}
"""Space -> how to walk in it: smoothly in W; on the sphere in Z, whose norms concentrate."""


def interpolate(
    checkpoint: str | Path,
    out: str | Path,
    *,
    seeds: str | Sequence[int] | None = None,
    codes: str | Path | None = None,
    space: Space = "w",
    mode: Mode | None = None,
    frames: int = 60,
    fps: int = 30,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    noise_mode: NoiseMode = "const",
    label: Label = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[Path, str | None]:
    """Write a closed walk through the pictures of seeds or codes, each met exactly, as an endless animation or a sheet.

    Args:
        checkpoint: see `load`.
        out: file ending in .mp4 (needs the extra `video`), .gif, .webp or .apng; or .png for a labelled sheet: a row
            from each picture to the next, the last one left out.
        seeds: at least two; or None where there are codes.
        codes: instead of seeds, at least two (see `subjects.open_codes`), walked between in W+, noise maps included.
        space: walk through `w` or `z`; codes have the first.
        mode: `lerp`, `slerp` or `cubic` (see `latents.walk`); None: `cubic` in W, `slerp` in Z.
        frames: frames from one picture to the next, of an animation.
        fps: frames a second.
        truncation_psi: of seeds; see `Generator.sample`, as the next three.
        truncation_cutoff: see there.
        noise_mode: see there; random noise is drawn anew from each frame's number.
        label: see there.
        device: see `load`.
        progress: called after every frame.

    Returns:
        The file written, and None or a sentence on why it is not the one asked for.

    Raises:
        CheckpointError: see `load` and `subjects.open_codes`.
        ConfigError: a seed, space, mode, ending or setting out of range; or codes with weights of their own.
        LimnerError: the file cannot be written.
    """
    if (seeds is None) == (codes is None):
        raise ConfigError("interpolate: expected either seeds or codes, got both or neither; give one")
    if space not in DEFAULT_MODES or (codes is not None and space != "w"):
        wanted = "w, where codes are" if codes is not None else "w or z"
        raise ConfigError(f"space: got '{space}', expected {wanted}.{closest(space, DEFAULT_MODES)}")
    generator, identity = open_generator(checkpoint, device)
    c = generator.label_vector(label) if label is not None or generator.c_dim else None
    truncation: dict[str, Any] = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
    noises: list[Tensor] = []
    if codes is not None:
        subjects = open_codes(codes, generator, identity, c)
        names, keys = [subject.name for subject in subjects], torch.cat([subject.ws for subject in subjects])
        noises = _noises(subjects)
    else:
        numbers = seed_list(seeds or ())
        names = [str(seed) for seed in numbers]
        ws = [generator.seed_to_ws(seed, label=label, **truncation) for seed in numbers]  # each [1, num_ws, w_dim]
        keys = torch.cat(ws) if space == "w" else seeds_to_z(numbers, generator.z_dim).to(generator.w_avg.device)
    if len(names) < 2:
        raise ConfigError(f"interpolate: got {names[0]} alone, expected at least two to walk between, such as 1,2,3")
    target = expand(out)
    is_sheet = target.suffix.lower() == ".png"
    steps = SHEET_STEPS if is_sheet else frames
    points = walk(keys, steps, mode or DEFAULT_MODES[space])
    maps = zip(*(walk(noise, steps, "lerp") for noise in noises), strict=True)

    def pictures() -> Iterator[Image.Image]:
        for number, point in enumerate(points):
            with torch.no_grad():
                ws = point[None] if space == "w" else generator.mapping(point[None], c, **truncation)
                noise = {"noises": [n[None].to(ws) for n in next(maps)]} if noises else {}
                yield from to_pil(generator.synthesis(ws, **(noise or generator.noise_arguments(noise_mode, number))))

    total = len(names) * steps

    def told(done: int) -> None:
        if progress:
            progress(done, total)

    if is_sheet:
        return _sheet(pictures(), names, target, told), None
    return write_animation(pictures(), target, fps, told)


def _noises(subjects: Sequence[Subject]) -> list[Tensor]:
    """Return the noise maps of subjects, [K, 1, H, W] a layer; none where they have none.

    Raises:
        ConfigError: some have them and some not, or one has weights of its own.
    """
    found = [subject.found for subject in subjects]
    tuned = [f.name for f in found if f is not None and f.delta]
    if tuned:
        raise ConfigError(
            f"codes: '{tuned[0]}' was found with weights of its own, expected codes alone: there is no way between two "
            "sets of weights; invert with another method than pti"
        )
    counts = {len(f.noises) if f is not None else 0 for f in found}
    if counts == {0}:
        return []
    if len(counts) > 1:
        raise ConfigError("codes: got some with noise maps and some without, expected one kind; invert them alike")
    layers = zip(*(f.noises for f in found if f is not None), strict=True)
    return [torch.stack(maps) for maps in layers]


def _sheet(pictures: Iterator[Image.Image], names: Sequence[str], path: Path, told: Callable[[int], None]) -> Path:
    """Write a row for each way from a picture to the next, but not the one that closes the walk."""
    drawn: list[Image.Image] = []
    for picture in pictures:
        drawn.append(picture)
        told(len(drawn))
    shares = [f"{step / SHEET_STEPS:.0%}" for step in range(1, SHEET_STEPS)]
    rows = [
        strip(drawn[number * SHEET_STEPS : (number + 1) * SHEET_STEPS + 1], [first, *shares, second])
        for number, (first, second) in enumerate(itertools.pairwise(names))
    ]
    return save_png(grid(rows, columns=1), path)
