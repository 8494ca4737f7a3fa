"""The model that comes with the package: a generator with its encoder, its directions and a classifier.

`avatars` is a snapshot folder in half precision, and may be used wherever a checkpoint is asked for; what lies in it is
named by a path that begins so: `avatars/classifier`, `avatars/directions/Smiling`. A file or folder of the user with
that name comes first. How it was made, from the first command to the last: examples/avatars/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.config import Resolution
from limner.runtime import expand


@dataclass(frozen=True, kw_only=True)
class Model:
    """What there is to say of an embedded model."""

    room: str
    """Paper whose networks its generator is: a folder of `limner/papers`."""
    resolution: Resolution
    """(height, width) of its pictures, pixels."""
    what: str
    licence: str


MODELS: Mapping[str, Model] = {
    "avatars": Model(
        room="stylegan2",
        resolution=(64, 64),
        what="drawn avatars, with encoder, classifier and directions",
        licence="Apache-2.0",
    )
}
"""Name, that of a folder beside this file -> what it is."""
SUFFIX = ".safetensors"
"""Ending that may be left out."""


def resolve(path: str | Path) -> Path:
    """Return `path` expanded; if nothing lies there and an embedded model has it, its place in the package."""
    given = expand(path)
    if given.is_absolute() or ".." in given.parts or given.parts[:1] not in [(name,) for name in MODELS]:
        return given
    packaged = place(given)
    return packaged if _is_there(packaged) and not _is_there(given) else given


def place(path: str | Path) -> Path:
    """Return where an embedded model, or what is named in it, lies."""
    return Path(__file__).parent / path


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + SUFFIX).exists()
