"""`limner invert` (`projector`)."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Device, Quiet, parse_settings


def invert(
    checkpoint: Checkpoint,
    pictures: Annotated[tuple[str, ...], Parameter(name=["--pictures", "--target"], negative="")],
    *,
    method: str = "optimise",
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "inverted",
    encoder: str | None = None,
    steps: Annotated[int | None, Parameter(name=["--steps", "--num-steps"])] = None,
    lr: float | None = None,
    space: Literal["z", "w", "wplus", "w+"] | None = None,
    start: Literal["mean", "random", "encoder"] | None = None,
    seed: int | None = None,
    perceptual: Literal["auto", "lpips", "stlpips", "none"] = "auto",
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="", show_default=False)] = (),
    mask: str | None = None,
    batch: int = 8,
    label: ClassLabel = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find the latents of real pictures: codes, reconstructions, numbers and a page, in a folder.

    Methods: encoder (one pass), optimise (free), in-domain (from the encoder's code, kept near what it gives), project
    (the projector of StyleGAN2), pti (projects, then tunes the weights). Running the command again does what is left.

    For example:

        limner invert runs/faces photos --method optimise --space w+ --steps 500 --out inverted
        limner invert runs/faces a.png b.png --encoder runs/encoder --method in-domain
        limner projector --network=runs/faces --target=a.png --outdir=projected --method project

    Args:
        pictures: files, folders or zips
        method: encoder, optimise, in-domain, project or pti
        out: folder for invert.html, codes.safetensors, inversion.json and the pictures
        encoder: run or snapshot with an encoder; left out, the checkpoint's own
        steps: updates; each method has its own number
        lr: learning rate
        space: what optimise searches: z, w (one w) or wplus (one w a layer)
        start: where optimise starts
        seed: of random starts and noise
        perceptual: network that compares pictures; auto is lpips if its weights are here, else stlpips
        set_: another setting of the method, as domain_weight=10; may be repeated
        mask: picture whose white counts; black has no influence
        batch: pictures at a time
    """
    from limner import api
    from limner.api.inverting import InvertRequest
    from limner.api.inverting import invert as find_latents

    given: dict[str, object] = {
        "steps": steps,
        "lr": lr,
        "start": start,
        "seed": seed,
        "space": "w+" if space == "wplus" else space,
    }
    settings = {key: value for key, value in given.items() if value is not None}
    settings |= parse_settings("--set", set_)
    request = InvertRequest(
        method=method,
        settings=settings,
        encoder=encoder,
        perceptual=perceptual,
        mask=mask,
        label=api.parse_label(label),
        batch=batch,
    )
    notice(api.setup(), quiet)
    with progress_bar("steps", quiet) as progress:
        made = find_latents(
            checkpoint, pictures, out, request, device=device, command=command_line(), progress=progress
        )
    for remark in made.remarks:
        notice(f"limner: note: {remark}", quiet)
    for name, reason in made.skipped.items():
        notice(f"limner: note: '{name}' is left out: {reason}", quiet)
    if not quiet:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in made.numbers.items())
        before = f" ({made.num_resumed} done before)" if made.num_resumed else ""
        print(f"{len(made.found)} pictures{before}: {numbers}; {made.page}")
