"""`limner generate` (`gen-images`)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Cutoff, Device, Noise, Quiet, Truncation


def generate(
    checkpoint: Checkpoint,
    *,
    seeds: str = "0-35",
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "generated",
    trunc: Truncation = 1.0,
    cutoff: Cutoff = None,
    noise: Noise = "const",
    label: ClassLabel = None,
    grid: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make pictures from seeds: one file a seed, each depending on its own seed alone.

    A seed gives the latent it gives in NVIDIA's tools.

    For example:

        limner generate runs/faces --seeds 0-35 --trunc 0.7 --out faces --grid
        limner generate runs/faces/snapshots/000200 --seeds 85,265 --noise random

    Args:
        seeds: numbers and ranges, such as 0-3,7
        out: folder for seed0000.png, ... and command.txt
        grid: also write all pictures on one sheet, grid.png
    """
    from limner import api

    notice(api.setup(), quiet)
    with progress_bar("pictures", quiet) as progress:
        paths = api.generate(
            checkpoint,
            out,
            seeds=seeds,
            truncation_psi=trunc,
            truncation_cutoff=cutoff,
            noise_mode=noise,
            label=api.parse_label(label),
            grid=grid,
            device=device,
            command=command_line(),
            progress=progress,
        )
    if not quiet:
        print(f"{len(paths) - grid} pictures in {paths[0].parent}" + (f", sheet {paths[-1]}" if grid else ""))
