"""Reading pictures from every form limner knows; `open_source` tells them apart."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from limner.data.base import Source
from limner.data.readers.archive import ZipSource
from limner.data.readers.cifar import open_cifar
from limner.data.readers.folder import FolderSource
from limner.data.readers.idx import find_idx, is_idx_name, open_idx
from limner.data.readers.labels import read_label_file
from limner.data.samples import samples_path
from limner.errors import DataError
from limner.runtime import expand

FORMS = "a folder, a zip, the CIFAR-10 python tar, or an MNIST-format idx file"


def open_source(path: str | Path, labels: str | Path | None = None) -> Source:
    """Open pictures in any form: a folder, a zip, a CIFAR-10 python tar, MNIST-format idx files.

    Args:
        path: the folder or file, or `samples` for the pictures embedded in the package.
        labels: a label file for the pictures (see `limner.data.readers.labels`); None: what lies beside them.

    Raises:
        DataError: nothing there, not a known form, no pictures, or labels that do not fit.
    """
    path = samples_path() if str(path) == "samples" else expand(path)
    if not path.exists():
        raise DataError(
            f"no such folder or file: {path}; check the path (or give 'samples', the pictures in the package)"
        )
    given = str(expand(labels)) if labels is not None else None
    if path.is_dir():
        idx = find_idx(path)
        if idx is None:
            return FolderSource(path, given)
        source: Source = open_idx(idx)
    elif is_idx_name(path.name):
        source = open_idx(path)
    elif zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        return ZipSource(path, given)
    elif path.name.endswith((".tar", ".tar.gz", ".tgz")) or tarfile.is_tarfile(path):
        source = open_cifar(path)
    else:
        raise DataError(f"cannot tell what {path} holds, expected {FORMS}; give one of these")
    if given is not None:
        source.labels = read_label_file(given, source.names)
    return source
