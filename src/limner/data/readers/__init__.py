"""Reading pictures from every form limner knows; `open_source` tells them apart."""

from __future__ import annotations

from pathlib import Path

from limner.data.base import Source
from limner.data.readers.archive import ZipSource
from limner.data.readers.folder import FolderSource
from limner.errors import DataError


def open_source(path: str | Path, labels: str | None = None) -> Source:
    """Open pictures in any form: a folder, a zip, a CIFAR-10 python tar, MNIST-format idx files.

    Args:
        path: the folder or file.
        labels: a label file for the pictures (see `limner.data.readers.labels`); None: what lies beside them.

    Raises:
        DataError: nothing there, not a known form, no pictures, or labels that do not fit.
    """
    path = Path(path)
    if path.is_dir():
        return FolderSource(path, labels)
    if not path.exists():
        raise DataError(
            f"no such folder or file: {path}; check the path (or use 'samples', the pictures in the package)"
        )
    if path.suffix.lower() == ".zip":
        return ZipSource(path, labels)
    raise DataError(f"cannot tell what {path} holds, expected a folder, a .zip")
