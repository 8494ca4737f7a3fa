"""`limner attribute`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Device, Quiet


def attribute(
    checkpoint: Checkpoint,
    pictures: Annotated[tuple[str, ...], Parameter(name="--pictures", negative="")],
    *,
    calibrate: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    reference: str | None = None,
    num: int = 50,
    steps: int = 1000,
    perceptual: Literal["auto", "lpips", "stlpips", "none"] = "auto",
    batch: int = 8,
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Ask whether pictures were made by this generator: how far is each from its projection?

    With --calibrate the pictures are real ones; their distances and those of generated pictures are written to the
    reference, with how well they tell the two apart. Without it, pictures are compared with the reference.

    For example:

        limner attribute runs/faces held-out.zip --calibrate --reference faces-reference.json --num 100
        limner attribute runs/faces suspect.png --reference faces-reference.json

    Args:
        pictures: files, folders or zips
        calibrate: write the reference instead of using it
        reference: .json file; attribution.json when it is written and not named
        num: pictures of either kind in a calibration
        steps: updates of the projector
        perceptual: network that compares pictures; auto is lpips if its weights are here, else stlpips
        batch: pictures at a time
    """
    from limner import api
    from limner.api import attributing

    request = attributing.AttributeRequest(
        steps=steps, perceptual=perceptual, batch=batch, label=api.parse_label(label)
    )
    notice(api.setup(), quiet)
    with progress_bar("steps", quiet) as progress:
        if calibrate:
            made = attributing.calibrate_attribution(
                checkpoint,
                pictures,
                reference or "attribution.json",
                request,
                num=num,
                device=device,
                command=command_line(),
                progress=progress,
            )
            for name, estimate in made.estimates.items():
                print(f"{name}: {estimate.value:.3f} (95 %: {estimate.low:.3f} to {estimate.high:.3f})")
            notice(f"{made.num_generated} generated and {made.num_real} real pictures in {made.path}", quiet)
            return
        found = attributing.attribute(
            checkpoint, pictures, request, reference=reference, device=device, progress=progress
        )
    for answer in found:
        verdict = ""
        if answer.is_generated is not None:
            kind = "like a picture of this generator" if answer.is_generated else "unlike this generator's"
            verdict = f"  {kind} (p {answer.p_generated:.3f})"
        print(f"{answer.name}  {answer.distance:.5f}{verdict}")
