"""`limner prepare`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.console import notice, progress_bar
from limner.cli.options import Quiet, parse_resolution


def prepare(
    source: str,
    dest: str,
    *,
    resolution: str | None = None,
    crop: Literal["centre", "none", "letterbox"] = "centre",
    filter: Annotated[
        Literal["box", "bilinear", "hamming", "bicubic", "lanczos"], Parameter(name=["--filter", "--resize-filter"])
    ] = "lanczos",
    channels: int | None = None,
    bits: Literal[8, 16] = 8,
    labels: str | None = None,
    max_images: int | None = None,
    on_error: Literal["skip", "fail"] = "skip",
    workers: int = 2,
    quiet: Quiet = False,
) -> None:
    """Turn pictures of any kind into one data set zip, in the layout NVIDIA's tools use.

    Reads a folder (also folders of classes, or with an attribute list beside the pictures), a zip, the CIFAR-10 python
    tar, and MNIST-format idx files.

    For example:

        limner prepare ~/pictures faces.zip --resolution 64
        limner prepare img_align_celeba celeba.zip --resolution 128 --labels list_attr_celeba.txt
        limner prepare cars.zip cars-wide.zip --resolution 48x64 --crop letterbox

    Args:
        source: folder or file of pictures, or samples
        dest: zip to write
        resolution: side, or height x width, pixels; left out: as they are, when all are of one size
        crop: cut to the middle, stretch, or add black borders
        filter: how pictures are resized
        channels: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha; left out: 1 or 3, as they are
        bits: bits a channel; 16 for grey pictures
        labels: label file: attribute list, .csv, .tsv or .json
        max_images: use at most this many, spread evenly
        on_error: leave out pictures that cannot be read, or stop at the first
        workers: threads
    """
    from limner import api

    config = api.PrepareConfig(
        resolution=parse_resolution(resolution),
        crop=crop,
        filter=filter,
        channels=channels,
        bits=bits,
        labels=labels,
        max_images=max_images,
        on_error=on_error,
        workers=workers,
    )
    with progress_bar("pictures", quiet) as progress:
        summary = api.prepare(source, dest, config, progress)
    if not quiet:
        print("\n".join(summary.lines()))
    notice(f"train on it: limner train --data {summary.path} --preset stylegan2-tiny", quiet)
