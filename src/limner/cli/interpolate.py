"""`limner interpolate` (`gen-video`)."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Cutoff, Device, Noise, Quiet, Truncation


def interpolate(
    checkpoint: Checkpoint,
    *,
    seeds: str | None = None,
    codes: str | None = None,
    out: Annotated[str, Parameter(name=["--out", "--output"])] = "walk.mp4",
    space: Literal["w", "z"] = "w",
    mode: Annotated[Literal["lerp", "slerp", "cubic"] | None, Parameter(name=["--mode", "--interpolation"])] = None,
    frames: Annotated[int, Parameter(name=["--frames", "--w-frames"])] = 60,
    fps: int = 30,
    trunc: Truncation = 1.0,
    cutoff: Cutoff = None,
    noise: Noise = "const",
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make an animation that walks through the pictures of seeds or codes and back to the first: an endless loop.

    With --out ending in .png it makes a labelled sheet of the ways from each picture to the next.

    For example:

        limner interpolate runs/faces --seeds 1,2,3 --out walk.mp4
        limner interpolate runs/faces --seeds 0-5 --space z --mode slerp --frames 30 --fps 15 --out walk.gif
        limner interpolate runs/faces --codes inverted --out between.png

    Args:
        seeds: two or more, such as 1,2,3
        codes: instead of seeds: folder of limner invert, or file of latents
        out: file ending in .mp4 (needs the extra 'video'), .gif, .webp or .apng, or .png for a sheet
        space: walk through w (the network's own space) or z
        mode: straight lines, turning, or a smooth curve; cubic in w and slerp in z when left out
        frames: frames from one picture to the next
        fps: frames a second
    """
    from limner import api

    notice(api.setup(), quiet)
    with progress_bar("frames", quiet) as progress:
        path, remark = api.interpolate(
            checkpoint,
            out,
            seeds=seeds,
            codes=codes,
            space=space,
            mode=mode,
            frames=frames,
            fps=fps,
            truncation_psi=trunc,
            truncation_cutoff=cutoff,
            noise_mode=noise,
            label=api.parse_label(label),
            device=device,
            progress=progress,
        )
    if remark:
        notice(remark, quiet)
    if not quiet:
        print(path)
