"""`limner convert`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import notice
from limner.cli.options import Quiet


def convert(
    source: Annotated[str, Parameter(name=["--source", "--network"])],
    dest: Annotated[str, Parameter(name=["--dest", "--out"])],
    *,
    to: Literal["limner", "nvidia", "rosinality"] = "limner",
    quiet: Quiet = False,
) -> None:
    """Convert a checkpoint of another program to a snapshot, or a snapshot for another program.

    Reads pickles of NVIDIA and files of rosinality and genforce, running nothing they carry.

    For example:

        limner convert ffhq.pkl checkpoints/ffhq
        limner convert runs/faces faces.pkl --to nvidia
        limner convert runs/faces faces.pt --to rosinality

    Args:
        source: file of another program; with --to, a run folder, snapshot folder or .safetensors file
        dest: folder for the snapshot; with --to, the file: .pkl for nvidia, .pt for rosinality
        to: whose format to write
    """
    from limner import api

    converted = api.convert(source, dest, to=to)
    for note in converted.notes:
        notice(f"note: {note}", quiet)
    if converted.licence:
        notice(f"licence of these weights: {converted.licence}", quiet)
    if not quiet:
        print(f"{converted.what} -> {converted.path}")
