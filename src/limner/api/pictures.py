"""Pictures named on a command line: files, folders, zips; fitted to a generator, the unreadable ones told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from limner.data import open_source
from limner.data.decode import PictureError, decode, to_array, to_channels
from limner.data.framing import fit
from limner.data.readers.files import is_picture_name
from limner.errors import ConfigError, DataError
from limner.papers.base import Generator
from limner.runtime import expand


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A picture that was named, not read yet."""

    name: str
    """Unlike every other's; fit for a file name."""
    source: str
    """Where it lies."""
    open: Callable[[], Image.Image]
    """Decodes it; raises `PictureError`."""


@contextmanager
def named_pictures(paths: Sequence[str | Path]) -> Iterator[list[Entry]]:
    """Give the pictures that files, folders and zips hold, in order, while entered.

    Raises:
        DataError: nothing there, or no picture in it.
        ConfigError: no path.
    """
    if not paths:
        raise ConfigError("pictures: got none, expected at least one file, folder or zip")
    found: list[tuple[str, str, Callable[[], Image.Image]]] = []
    sources = []
    try:
        for given in paths:
            path = expand(given)
            if path.is_file() and is_picture_name(path.name):
                found.append((path.name, str(path), partial(_decoded, path)))
                continue
            source = open_source(given)
            sources.append(source)
            for index, name in enumerate(source.names):
                found.append((name, f"{given}: {name}", partial(source.picture, index)))
        yield _entries(found)
    finally:
        for source in sources:
            source.close()


def _entries(found: Sequence[tuple[str, str, Callable[[], Image.Image]]]) -> list[Entry]:
    """Name pictures by their file, with the folder before it, and a number behind it, where files are named alike."""
    taken: set[str] = set()
    entries = []
    for file, source, open_picture in found:
        name = stem = "-".join(PurePosixPath(file).with_suffix("").parts)
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        entries.append(Entry(name=name, source=source, open=open_picture))
    return entries


def read_picture(entry: Entry, generator: Generator) -> tuple[Tensor, str]:
    """Return a picture as a generator makes them, [C, H, W] in [-1, 1] on the CPU, and a remark; empty: fits as it is.

    What does not have the aspect is cut off around the centre.

    Raises:
        PictureError: it cannot be read.
    """
    picture = to_channels(entry.open(), generator.img_channels)
    height, width = generator.img_resolution
    fitted = fit(picture, (height, width), "centre", "lanczos")
    remark = ""
    if picture.size != (width, height):
        remark = f"'{entry.name}' is resized from {picture.width}x{picture.height} to {width}x{height}"
    return to_tensor(fitted), remark


def read_one(path: str | Path, generator: Generator, what: str) -> tuple[Tensor, str]:
    """Read one picture file as `read_picture` does.

    Args:
        path: a picture file.
        generator: whose size and channels it is fitted to.
        what: what it is, for messages.

    Raises:
        DataError: it is missing or cannot be read.
    """
    place = expand(path)
    if not place.is_file():
        raise DataError(f"{what}: no such file: {place}; check the path")
    entry = Entry(name=place.stem, source=str(place), open=partial(_decoded, place))
    try:
        return read_picture(entry, generator)
    except PictureError as error:
        raise DataError(f"{what}: '{place}' cannot be read: {error}; save it again as PNG") from None


def _decoded(path: Path) -> Image.Image:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise PictureError("cannot be opened", f"{path}: {error.strerror}") from None


def read_mask(path: str | Path, generator: Generator) -> Tensor:
    """Return a mask [1, H, W] in [0, 1] of a picture file: white counts, black does not; resized as pictures are.

    Raises:
        DataError: it is missing or cannot be read.
    """
    place = expand(path)
    if not place.is_file():
        raise DataError(f"mask: no such file: {place}; check the path")
    try:
        grey = to_channels(_decoded(place), 1)
    except PictureError as error:
        raise DataError(f"mask: '{place}' cannot be read: {error}; save it again as PNG") from None
    pixels = np.asarray(fit(grey, generator.img_resolution, "centre", "box"), np.float32) / 255
    return torch.from_numpy(pixels)[None]


def to_tensor(picture: Image.Image) -> Tensor:
    """Return an 8-bit picture as [C, H, W] float in [-1, 1]."""
    return torch.from_numpy(to_array(picture).astype(np.float32) / 127.5 - 1)
