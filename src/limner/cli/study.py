"""`limner study`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, Device, Quiet


def study(
    what: Literal["inversion"],
    checkpoint: Checkpoint,
    *,
    data: str,
    encoder: str,
    conventional: str,
    judge: str | None = None,
    classifier: str | None = None,
    train_data: str | None = None,
    outside: str | None = None,
    out: str = "study",
    num: int = 128,
    subset: int = 32,
    steps: int = 100,
    long_steps: int = 500,
    samples: int = 5000,
    parts: str = "",
    perceptual: Literal["auto", "lpips", "stlpips", "none"] = "auto",
    batch: int = 8,
    seed: int = 0,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Compare ways to invert as the papers do: one page and tables, with intervals for every claim.

    Conventional and domain-guided encoder, free optimisation, in-domain inversion, the projector, pivotal tuning: their
    error at matched updates and seconds, whether their codes are in the domain, what codes carry, and how edits fare.
    The same command again goes on where it was stopped; another --parts adds to the page.

    For example:

        limner train --preset idinvert-tiny --generator runs/faces --data faces.zip --out runs/guided
        limner train --preset conventional-encoder-tiny --generator runs/faces --data faces.zip --out runs/plain
        limner study inversion runs/faces --data held.zip --encoder runs/guided --conventional runs/plain --out study
        limner study inversion runs/faces --data held.zip --encoder runs/guided --conventional runs/plain
        --judge runs/judge --classifier runs/classifier --num 32 --steps 50 --out quick

    Args:
        what: inversion
        data: pictures that the generator was not trained on; with labels for what concerns attributes
        encoder: run that trained the domain-guided encoder
        conventional: run that trained the conventional encoder
        judge: run of a third encoder, of another seed, which judges codes
        classifier: run that trained a classifier of the attributes
        train_data: pictures the generator was trained on, to compare with
        outside: pictures from outside the domain; left out, those of --data, turned over, negative, or jumbled
        out: folder for study.html, the tables and the pictures
        num: pictures of the main comparison
        subset: pictures of the sweep, of slow methods and of what is outside
        steps: updates of every optimisation
        long_steps: updates of the long one
        samples: codes sampled for the boundaries of attributes
        parts: some of reconstruct,compare,sweep,outside,attribute,semantics,separability; all when left out
        perceptual: network in the losses; auto is lpips if its weights are here, else stlpips
        batch: pictures at a time
        seed: of resampling and random starts
    """
    from limner import api
    from limner.api.study import PARTS, StudyRequest
    from limner.api.study import study as compare

    request = StudyRequest(
        checkpoint=checkpoint,
        data=data,
        out=Path(out),
        encoder=encoder,
        conventional=conventional,
        judge=judge,
        classifier=classifier,
        train_data=train_data,
        outside=outside,
        num=num,
        subset=subset,
        steps=steps,
        long_steps=long_steps,
        num_samples=samples,
        parts=tuple(part.strip() for part in parts.split(",") if part.strip()) or PARTS,
        perceptual=perceptual,
        batch=batch,
        seed=seed,
    )
    notice(api.setup(), quiet)
    with progress_bar("updates", quiet) as progress:
        made = compare(
            request,
            device=device,
            command=command_line(),
            report=lambda line: notice(line, quiet),
            progress=progress,
        )
    for verdict in made.verdicts:
        if not quiet:
            print(f"{verdict.name:<4} {verdict.outcome:<12} {verdict.statement}")
    if not quiet:
        print(f"{made.page}, and {', '.join(path.name for path in made.tables)} beside it")
