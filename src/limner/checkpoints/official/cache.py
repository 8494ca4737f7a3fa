"""Files of other programs used in place: converted once, kept by the checksum of the file.

The snapshots lie in `~/.cache/limner/converted` (under `XDG_CACHE_HOME` if set) and may be deleted at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

from limner.checkpoints.io import CONFIG_NAME, write_snapshot
from limner.checkpoints.official import checksum, convert
from limner.runtime import expand

ENDINGS = (".pkl", ".pt", ".pth", ".model")
"""Endings of files of other programs."""
VERSION = 1
"""Raise it when a conversion changes, so that snapshots of an older one are not used."""


def is_foreign(path: str | Path) -> bool:
    """Whether `path` is named like a file of another program."""
    place = expand(path)
    return place.suffix in ENDINGS and place.is_file()


def as_snapshot(path: str | Path) -> Path:
    """Return a snapshot with the networks of a file of another program, converting it when none is kept.

    Raises:
        CheckpointError: see `official.convert`; or the snapshot cannot be written.
    """
    folder = cache_folder() / f"{checksum(expand(path))[:32]}-{VERSION}"
    if not (folder / CONFIG_NAME).is_file():
        converted = convert(path)
        write_snapshot(folder, converted.config, converted.networks, converted.record)
    return folder


def cache_folder() -> Path:
    """Return the folder where converted snapshots are kept."""
    return expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "limner" / "converted"
