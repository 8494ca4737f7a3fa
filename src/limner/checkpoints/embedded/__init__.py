"""The model that comes with the package: a generator with its encoder, its directions and a classifier.

`avatars` is a snapshot folder in half precision, and may be used wherever a checkpoint is asked for; what lies in it is
named by a path that begins so: `avatars/classifier`, `avatars/directions/Smiling`. A file or folder of the user with
that name comes first. How it was made, from the first command to the last: examples/avatars/README.md.
"""

from __future__ import annotations

from pathlib import Path

from limner.runtime import expand

MODELS = ("avatars",)
"""Names of embedded models, folders beside this file."""
SUFFIX = ".safetensors"
"""Ending that may be left out."""


def resolve(path: str | Path) -> Path:
    """Return `path` expanded; if nothing lies there and an embedded model has it, its place in the package."""
    place = expand(path)
    if place.is_absolute() or place.parts[:1] not in [(name,) for name in MODELS]:
        return place
    packaged = Path(__file__).parent / place
    if place.exists() or place.with_name(place.name + SUFFIX).exists() or ".." in place.parts:
        return place
    return packaged if packaged.exists() or packaged.with_name(packaged.name + SUFFIX).exists() else place
