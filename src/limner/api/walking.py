"""Closed walks through the pictures of seeds, as animations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from limner.api.generation import Label, Progress, load, seed_list
from limner.errors import ConfigError, closest
from limner.images import to_pil, write_animation
from limner.latents import Mode, seeds_to_z, walk
from limner.papers.base import NoiseMode
from limner.runtime import expand

Space = Literal["w", "z"]
DEFAULT_MODES: dict[str, Mode] = {"w": "cubic", "z": "slerp"}
"""Space -> how to walk in it: smoothly in W; on the sphere in Z, whose norms concentrate."""


def interpolate(
    checkpoint: str | Path,
    out: str | Path,
    *,
    seeds: str | Sequence[int],
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
    """Write a closed walk through the pictures of seeds, each met exactly, as an endless animation.

    Args:
        checkpoint: see `load`.
        out: file ending in .mp4 (needs the extra `video`), .gif, .webp or .apng.
        seeds: at least two.
        space: walk through `w` or `z`.
        mode: `lerp`, `slerp` or `cubic` (see `latents.walk`); None: `cubic` in W, `slerp` in Z.
        frames: frames from one seed to the next.
        fps: frames a second.
        truncation_psi: see `Generator.sample`, as the next three.
        truncation_cutoff: see there.
        noise_mode: see there; random noise is drawn anew from each frame's number.
        label: see there.
        device: see `load`.
        progress: called after every frame.

    Returns:
        The file written, and None or a sentence on why it is not the one asked for.

    Raises:
        CheckpointError: see `load`.
        ConfigError: a seed, space, mode, ending or setting out of range.
        LimnerError: the file cannot be written.
    """
    numbers = seed_list(seeds)
    if len(numbers) < 2:
        raise ConfigError(f"seeds: got {numbers[0]} alone, expected at least two to walk between, such as 1,2,3")
    if space not in DEFAULT_MODES:
        raise ConfigError(f"space: got '{space}', expected w or z.{closest(space, DEFAULT_MODES)}")
    generator = load(checkpoint, device)
    truncation: dict[str, Any] = {"truncation_psi": truncation_psi, "truncation_cutoff": truncation_cutoff}
    codes = [generator.seed_to_ws(seed, label=label, **truncation) for seed in numbers]  # each [1, num_ws, w_dim]
    keys = torch.cat(codes) if space == "w" else seeds_to_z(numbers, generator.z_dim).to(generator.w_avg.device)
    points = walk(keys, frames, mode or DEFAULT_MODES[space])
    c = generator.label_vector(label)

    def pictures() -> Iterator[Image.Image]:
        for number, point in enumerate(points):
            with torch.no_grad():
                ws = point[None] if space == "w" else generator.mapping(point[None], c, **truncation)
                yield from to_pil(generator.synthesis(ws, **generator.noise_arguments(noise_mode, number)))

    total = len(numbers) * frames
    return write_animation(pictures(), expand(out), fps, progress and (lambda done: progress(done, total)))
