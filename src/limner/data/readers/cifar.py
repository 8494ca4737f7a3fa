"""The CIFAR-10 python tar, read without running what its pickles say.

Format: the data set's page by Krizhevsky, "CIFAR-10 python version": `data_batch_1` to `data_batch_5` are pickled
dictionaries with `data` uint8 [10000, 3072] (red, green, blue planes of 32x32) and `labels`; `batches.meta` holds
`label_names`. The test batch is left out, as in NVIDIA's tool.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from limner.data.base import Labels
from limner.data.readers.arrays import ArraySource
from limner.errors import DataError

MAX_MEMBER_BYTES = 128 << 20
"""A member larger than this is refused; a batch of CIFAR-10 has 31 MB."""

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
_UNPICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError),
    *(OverflowError, MemoryError, struct.error),
)
_BATCH = re.compile(r"data_batch_\d+$")


class _NumbersOnly(pickle.Unpickler):
    """Unpickles containers, text, numbers and numpy arrays; anything else is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which no picture data need")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def open_cifar(path: Path) -> ArraySource:
    """Open the training pictures of a CIFAR-10 python tar (gzipped or not).

    Raises:
        DataError: not such a tar, damaged, or its pickles hold anything but arrays, numbers and text.
    """
    batches, meta = _read_members(path)
    if not batches:
        raise DataError(
            f"{path} holds no data_batch_* files, expected the CIFAR-10 python tar; unpack other tars first"
        )
    pixels, values = [], []
    for name in sorted(batches):
        batch = _unpickle(batches[name], f"{path}: {name}")
        data, labels = batch.get(b"data"), batch.get(b"labels")
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
            raise DataError(
                f"{path}: {name} holds no 'data' of uint8 [N, 3072]; download the CIFAR-10 python tar again"
            )
        if not isinstance(labels, list) or len(labels) != len(data) or not all(type(v) is int for v in labels):
            raise DataError(f"{path}: {name}: label count mismatch, expected {len(data)} whole numbers in 'labels'")
        pixels.append(data.reshape(-1, 3, 32, 32))  # [N, C, H, W]
        values.extend(labels)
    names = _label_names(meta, path)
    if min(values) < 0 or max(values) >= len(names):
        raise DataError(f"{path}: got class {max(values)}, but {len(names)} label names; download the tar again")
    classes = Labels(kind="classes", values=np.array(values, np.int64), names=names, dim=len(names))
    return ArraySource(str(path), "CIFAR-10 python tar", np.concatenate(pixels), classes, path.stat().st_size)


def _read_members(path: Path) -> tuple[dict[str, bytes], bytes | None]:
    """Return the contents of the training batches by name, and of `batches.meta`."""
    batches: dict[str, bytes] = {}
    meta = None
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with tarfile.open(path, "r:gz" if packed else "r:") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if not member.isfile() or not (_BATCH.match(name) or name == "batches.meta"):
                    continue
                if member.size > MAX_MEMBER_BYTES:
                    raise DataError(f"{path} is refused: '{member.name}' claims {member.size:,} bytes; check the file")
                stream = archive.extractfile(member)
                content = stream.read() if stream is not None else b""
                if name == "batches.meta":
                    meta = content
                else:
                    batches[name] = content
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"cannot read {path} as a tar: {error}; it may be truncated, so download it again") from None
    return batches, meta


def _label_names(meta: bytes | None, path: Path) -> tuple[str, ...]:
    if meta is None:
        return tuple(str(i) for i in range(10))
    names = _unpickle(meta, f"{path}: batches.meta").get(b"label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise DataError(f"{path}: batches.meta holds no 'label_names'; download the CIFAR-10 python tar again")
    return tuple(name.decode("utf-8", "replace") for name in names)


def _unpickle(data: bytes, where: str) -> dict[Any, Any]:
    try:
        values = _NumbersOnly(io.BytesIO(data), encoding="bytes").load()
    except _UNPICKLE_ERRORS as error:
        raise DataError(f"{where} is refused or damaged: {error}; download the CIFAR-10 python tar again") from None
    if not isinstance(values, dict):
        raise DataError(f"{where}: got a {type(values).__name__}, expected a dictionary")
    return values
