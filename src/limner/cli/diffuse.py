"""`limner diffuse`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Device, Quiet


def diffuse(
    checkpoint: Checkpoint,
    *,
    target: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)],
    context: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)],
    box: str,
    encoder: str | None = None,
    steps: int | None = None,
    lr: float | None = None,
    domain_weight: float | None = None,
    perceptual: Literal["auto", "lpips", "stlpips", "none"] = "auto",
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "diffused",
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Grow a part of one picture into another (semantic diffusion): a sheet of every target in every context.

    For example:

        limner diffuse runs/faces --target a.png --context b.png --box 16,20,32,32 --encoder runs/encoder

    Args:
        target: pictures a part is taken from
        context: pictures it is grown into
        box: the part, x,y,width,height in pixels of the generator's pictures
        encoder: run or snapshot with an encoder; left out, the checkpoint's own
        steps: updates; 100 when left out
        lr: learning rate; 0.01 when left out
        domain_weight: pull towards what the encoder gives back; 0 when left out
        perceptual: network that compares pictures; auto is lpips if its weights are here, else stlpips
        out: folder for the pictures, their strips, codes.safetensors and diffuse.png
    """
    from limner import api
    from limner.api.diffusing import diffuse_pictures

    notice(api.setup(), quiet)
    with progress_bar("steps", quiet) as progress:
        made = diffuse_pictures(
            checkpoint,
            out,
            targets=target,
            contexts=context,
            box=box,
            encoder=encoder,
            steps=steps,
            lr=lr,
            domain_weight=domain_weight,
            perceptual=perceptual,
            label=api.parse_label(label),
            device=device,
            command=command_line(),
            progress=progress,
        )
    for remark in made.remarks:
        notice(f"limner: note: {remark}", quiet)
    if not quiet:
        print(made.paths[-1])
