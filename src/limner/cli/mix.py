"""`limner mix` (`style-mixing`)."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Cutoff, Device, Noise, Quiet, Truncation


def mix(
    checkpoint: Checkpoint,
    *,
    rows: Annotated[str, Parameter(name=["--rows", "--row-seeds"])],
    cols: Annotated[str, Parameter(name=["--cols", "--col-seeds"])],
    layers: Annotated[str, Parameter(name=["--layers", "--styles", "--col-styles"])] = "coarse",
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "mix.png",
    trunc: Truncation = 1.0,
    cutoff: Cutoff = None,
    noise: Noise = "const",
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make a style-mixing sheet: picture (row, column) is the row's, with some layers taken from the column's.

    From 64 pixels on, coarse is layers 0-3 (4x4 to 8x8: pose, shape), middle is 4-7 (16x16 to 32x32: features) and fine
    is the rest (colours, detail); smaller networks are divided into thirds.

    For example:

        limner mix runs/faces --rows 1,2 --cols 3-6 --layers coarse
        limner mix runs/faces --rows 85,100 --cols 55,821 --layers 0-6 --out mixed/
        limner mix runs/faces --rows inverted --cols 3-6 --layers fine

    Args:
        rows: pictures down the left side: seeds, a folder of limner invert, or a file of latents
        cols: pictures along the top, likewise
        layers: coarse, middle, fine, or numbers and ranges such as 0-3
        out: a .png for the sheet, or a folder that also gets every picture as row-column.png
    """
    from limner import api

    notice(api.setup(), quiet)
    with progress_bar("pictures", quiet) as progress:
        mixture = api.mix(
            checkpoint,
            out,
            rows=rows,
            cols=cols,
            layers=layers,
            truncation_psi=trunc,
            truncation_cutoff=cutoff,
            noise_mode=noise,
            label=api.parse_label(label),
            device=device,
            command=command_line(),
            progress=progress,
        )
    if not quiet:
        taken = ", ".join(str(layer) for layer in mixture.layers)
        print(f"{mixture.paths[-1]}: layers {taken} of the rows are taken from the columns")
