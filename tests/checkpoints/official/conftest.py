"""What every test of the reader needs."""

from __future__ import annotations

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from limner.checkpoints.official.reader import read


@pytest.fixture(autouse=True, scope="session")
def _read_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What reading imports on its first use is imported before a canary sits."""
    folder = tmp_path_factory.mktemp("first")
    for legacy in (False, True):
        read(write_torch(folder / "x.pt", {"x": torch.zeros(1)}, legacy=legacy))
