"""The sample pictures embedded in the package: drawn avatar faces with attribute labels (licence note beside)."""

from __future__ import annotations

from pathlib import Path


def samples_path() -> Path:
    """Return the zip of the sample pictures."""
    return Path(__file__).with_name("avatars.zip")
