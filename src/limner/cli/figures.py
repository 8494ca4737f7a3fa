"""`limner figures`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Device, Quiet, Truncation


def figures(
    checkpoint: Checkpoint,
    *,
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "figures",
    which: str = "all",
    seeds: str = "0-10",
    data: str | None = None,
    trunc: Truncation = 1.0,
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Draw the papers' figures for a generator: labelled sheets, and a page figures.html that shows them all.

    A figure that does not apply to the generator says why. A run's folder also shows the history of the run.

    For example:

        limner figures runs/faces --out figures --data faces.zip
        limner figures runs/faces/snapshots/000200 --which truncation,mixing --seeds 85,265,297 --trunc 0.7

    Args:
        out: folder for the sheets and the page
        which: all, or some of growth, nearest, uncurated, mixing, noise-deviation, noise-layers, truncation,
            interpolation, droplets, contribution, with commas between
        seeds: numbers and ranges, such as 0-3,7; figures that need more go on counting
        data: training pictures, to show those nearest to generated ones
    """
    from limner import api

    notice(api.setup(), quiet)
    with progress_bar("figures", quiet) as progress:
        made = api.draw_figures(
            checkpoint,
            out,
            which=which,
            seeds=seeds,
            data=data,
            truncation_psi=trunc,
            label=api.parse_label(label),
            device=device,
            command=command_line(),
            progress=progress,
        )
    if not quiet:
        for name, why in made.absent.items():
            print(f"no {name}: {why}")
        print(f"{len(made.drawn)} figures on {made.page}")
