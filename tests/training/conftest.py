"""Pictures for tiny runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.runs import write_pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "discs")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Sums of one thread, so that bits can be compared with those of other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
