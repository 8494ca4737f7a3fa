"""What every test of the reader needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from limner.checkpoints.official.reader import read


@pytest.fixture(autouse=True)
def _read_once(tmp_path: Path) -> None:
    """What reading imports on its first use is imported before a canary sits."""
    for legacy in (False, True):
        write_torch(tmp_path / "first.pt", {"x": torch.zeros(1)}, legacy=legacy)
        read(tmp_path / "first.pt")
