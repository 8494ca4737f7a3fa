"""`limner dataset-tool`: NVIDIA's words for `limner prepare`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.cli.options import Quiet
from limner.cli.prepare import prepare
from limner.errors import ConfigError


def dataset_tool(
    *,
    source: str,
    dest: str,
    max_images: int | None = None,
    transform: str | None = None,
    resolution: str | None = None,
    width: int | None = None,
    height: int | None = None,
    filter: Annotated[Literal["box", "lanczos"], Parameter(name="--resize-filter")] = "lanczos",
    quiet: Quiet = False,
) -> None:
    """Do what `limner prepare` does, in the words of NVIDIA's dataset_tool.py; here a resolution is WIDTHxHEIGHT.

    For example:

        limner dataset-tool --source=~/pictures --dest=faces.zip --resolution=64x64 --transform=center-crop

    Args:
        source: folder or file of pictures
        dest: zip to write
        max_images: use at most this many
        transform: center-crop, or nothing to stretch
        resolution: width x height, pixels
        width: width alone, with --height
        height: height alone, with --width
        filter: how pictures are resized
    """
    if transform not in (None, "center-crop"):
        raise ConfigError(
            f"transform: got '{transform}', expected center-crop; 'limner prepare --crop letterbox' adds black borders"
        )
    if resolution is not None:
        sides = resolution.lower().split("x")
        if len(sides) != 2:
            raise ConfigError(f"resolution: got '{resolution}', expected width x height such as 64x64")
        resolution = f"{sides[1]}x{sides[0]}"
    elif width is not None and height is not None:
        resolution = f"{height}x{width}"
    elif width is not None or height is not None:
        raise ConfigError("got one of --width and --height, expected both; or --resolution WIDTHxHEIGHT")
    crop: Literal["centre", "none"] = "centre" if transform else "none"
    prepare(source, dest, resolution=resolution, crop=crop, filter=filter, max_images=max_images, quiet=quiet)
