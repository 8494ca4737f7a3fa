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
    to: Literal["limner", "nvidia", "rosinality", "onnx", "torch-export"] = "limner",
    generator: str | None = None,
    half: bool = False,
    batch: int | None = None,
    quiet: Quiet = False,
) -> None:
    """Convert a checkpoint of another program to a snapshot, or a snapshot for another program or runtime; copy one.

    Reads pickles of NVIDIA and files of rosinality, genforce and IDInvert, running nothing they carry. Graphs are
    compared with torch: ONNX by onnxruntime, where it is installed.

    For example:

        limner convert ffhq.pkl checkpoints/ffhq
        limner convert encoder.pth checkpoints/inverter --generator checkpoints/ffhq
        limner convert runs/faces faces.pkl --to nvidia
        limner convert runs/faces faces.pt --to rosinality
        limner convert runs/faces faces.onnx --to onnx
        limner convert runs/faces checkpoints/faces --half

    Args:
        source: file of another program, to convert; any checkpoint, to copy or with --to
        dest: folder for the snapshot; with --to, the file: .pkl for nvidia, .pt for rosinality, .onnx, .pt2; for the
            last two a folder gets mapping and synthesis as two graphs
        to: whose format to write
        generator: of a file that holds an encoder alone (IDInvert): checkpoint of its generator
        half: of a snapshot: only what using it takes (generator_ema, encoder, classifier), in half precision
        batch: samples in a batch of a graph; left out: any number
    """
    from limner import api

    converted = api.convert(source, dest, to=to, generator=generator, half=half, batch=batch)
    for note in converted.notes:
        notice(f"note: {note}", quiet)
    if converted.licence:
        notice(f"licence of these weights: {converted.licence}", quiet)
    if not quiet:
        print(f"{converted.what} -> {converted.path}")
