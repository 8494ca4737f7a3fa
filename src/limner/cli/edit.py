"""`limner edit`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Device, Quiet


def edit(
    checkpoint: Checkpoint,
    codes: str,
    *,
    direction: str,
    strength: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-3:3:7",
    layers: str | None = None,
    given: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "edit.png",
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Move codes along a direction: a sheet whose rows are codes and whose columns are strengths.

    For example:

        limner edit runs/faces inverted --direction directions/Smiling --strength -3:3:7 --out edited
        limner edit runs/faces 0-3,7 --direction directions/Smiling --given directions/Eyeglasses --layers 4-7

    Args:
        codes: folder of limner invert, file of latents (.safetensors, or .npz of a projector), or seeds such as 0-3,7
        direction: file of limner directions; .safetensors may be left out
        strength: in standard deviations of the codes: from:to:count, or numbers with commas between
        layers: coarse, middle, fine, or numbers and ranges such as 4-7; left out, the direction's own
        given: direction of what is to stay as it is; may be repeated
        out: a .png for the sheet, or a folder that also gets every picture
    """
    from limner import api
    from limner.api.editing import edit as move_codes

    notice(api.setup(), quiet)
    with progress_bar("pictures", quiet) as progress:
        made = move_codes(
            checkpoint,
            codes,
            out,
            direction=direction,
            strength=strength,
            layers=layers,
            given=given,
            label=api.parse_label(label),
            device=device,
            command=command_line(),
            progress=progress,
        )
    if not quiet:
        print(f"{made.paths[-1]}: {made.direction.name} by {', '.join(f'{s:.3g}' for s in made.strengths)}")
