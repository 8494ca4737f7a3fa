"""The idx files of MNIST, Fashion-MNIST and their kin, gzipped or not.

Format (LeCun's MNIST page): two zero bytes, the type (8 for unsigned bytes), the number of axes, then each length as
a big-endian 32-bit number, then the values. Labels lie in the file whose name has `labels-idx1` for `images-idx3`.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from limner.data.base import Labels
from limner.data.readers.arrays import ArraySource
from limner.errors import DataError

MAX_BYTES = 1 << 30
"""A file whose header claims more values than this is refused."""

_PICTURES = re.compile(r"idx3-ubyte(\.gz)?$")


def is_idx_name(name: str) -> bool:
    """Return whether a file name is that of idx pictures, such as `train-images-idx3-ubyte.gz`."""
    return _PICTURES.search(name) is not None


def find_idx(folder: Path) -> Path | None:
    """Return the idx pictures of a folder that holds MNIST's files: the training set if there are several."""
    found = sorted(path for path in folder.iterdir() if is_idx_name(path.name))
    return next((path for path in found if path.name.startswith("train")), found[0] if found else None)


def open_idx(path: Path) -> ArraySource:
    """Open grey pictures from an idx file, with the labels of the file beside it if there is one.

    Raises:
        DataError: not an idx file of pictures, truncated, or labels of another count.
    """
    pixels = _read(path, 3)  # [N, H, W]
    size_bytes = path.stat().st_size
    labels = None
    beside = _labels_beside(path)
    if beside is not None:
        values = _read(beside, 1).astype(np.int64)  # [N]
        if len(values) != len(pixels):
            raise DataError(
                f"label count mismatch: {beside} has {len(values)} labels for {len(pixels)} pictures of {path}"
            )
        labels = Labels(kind="classes", values=values, dim=int(values.max()) + 1)
        size_bytes += beside.stat().st_size
    return ArraySource(str(path), "idx file", pixels[:, None], labels, size_bytes)  # [N, 1, H, W]


def _labels_beside(path: Path) -> Path | None:
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    if name == path.name.removesuffix(".gz"):
        return None
    return next((c for c in (path.with_name(name + ".gz"), path.with_name(name)) if c.is_file()), None)


def _read(path: Path, axes: int) -> np.ndarray:
    """Return the unsigned bytes of an idx file with that many axes."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            start = file.read(4 + 4 * axes)
            if len(start) < 4 + 4 * axes or start[:2] != b"\0\0" or start[2] != 8 or start[3] != axes:
                raise DataError(
                    f"{path} is no idx file of {'pictures' if axes == 3 else 'labels'}: got the bytes "
                    f"{start[:4].hex()}, expected 0000080{axes}; download it again"
                )
            shape = struct.unpack(f">{axes}I", start[4:])
            count = int(np.prod(shape, dtype=np.float64))
            if count == 0 or count > MAX_BYTES:
                raise DataError(f"{path}: got an array of {shape}, expected 1 to {MAX_BYTES:,} bytes; check the file")
            data = file.read(count + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; it may be truncated, so download it again") from None
    if len(data) != count:
        more = "more" if len(data) > count else f"{len(data):,}"
        raise DataError(f"{path}: got {more} values, expected {count:,} by its header; download it again")
    return np.frombuffer(data, np.uint8).reshape(shape)
