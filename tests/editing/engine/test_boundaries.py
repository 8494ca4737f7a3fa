"""Boundary files of InterFaceGAN and IDInvert, read without running them."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from limner.editing.base import Direction, along
from limner.editing.engine.boundaries import read_boundary
from limner.errors import CheckpointError

STREAM = torch.Generator().manual_seed(0)
CODES = {
    "z": torch.randn(50, 6, generator=STREAM),
    "w": torch.randn(50, 6, generator=STREAM),
    "w+": torch.randn(50, 4, 6, generator=STREAM),
}
ROWS = np.random.RandomState(0).randn(1, 4, 6).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=2, keepdims=True)


def read(path: Path, space: Any = "w") -> Direction:
    return read_boundary(path, name="age", space=space, codes=CODES)


@pytest.mark.parametrize("space", ["z", "w"])
def test_interfacegans_file_is_a_vector(space: str, tmp_path: Path) -> None:
    vector = np.random.RandomState(1).randn(1, 6)
    np.save(tmp_path / "age.npy", vector / np.linalg.norm(vector))
    way = read(tmp_path / "age.npy", space)
    assert (way.space, way.layers, way.name) == (space, None, "age")
    assert np.allclose(way.vector.numpy(), vector[0] / np.linalg.norm(vector), atol=1e-6)
    assert abs(way.deviation - along(CODES[space], way.vector).std().item()) < 1e-6


def write_dict(path: Path, protocol: int) -> None:
    """IDInvert's file in a protocol of pickle."""
    content = np.empty((), dtype=object)
    content[()] = {"boundary": ROWS, "meta_data": {"manipulate_layers": [0, 1, 3]}}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    path.write_bytes(header.getvalue() + pickle.dumps(content, protocol=protocol))


@pytest.mark.parametrize("protocol", [3, 4])
def test_idinverts_file_is_a_dict_with_layers(protocol: int, tmp_path: Path) -> None:
    write_dict(tmp_path / "age.npy", protocol)
    way = read(tmp_path / "age.npy")
    assert (way.space, way.layers) == ("w+", (0, 1, 3))
    assert np.allclose(way.vector.numpy(), ROWS[0], atol=1e-6)


@pytest.mark.parametrize("protocol", [2, 5])
def test_protocols_numpy_does_not_write_are_refused(protocol: int, tmp_path: Path) -> None:
    write_dict(tmp_path / "age.npy", protocol)
    with pytest.raises(CheckpointError, match="expected a boundary"):
        read(tmp_path / "age.npy")


def test_numpys_own_file_of_a_dict_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "age.npy", np.array({"boundary": ROWS, "meta_data": {}}, dtype=object), allow_pickle=True)
    assert read(tmp_path / "age.npy").layers is None


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_a_file_carries_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    np.save(tmp_path / "age.npy", np.array({"boundary": Harmful(canary)}, dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="expected a boundary of InterFaceGAN"):
        read(tmp_path / "age.npy")
    assert not canary.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 6)),
        np.zeros(6),
        np.zeros((1, 6), np.int64),
        np.full((1, 6), np.nan),
        np.array({"other": 1}, dtype=object),
        np.array([{}, {}], dtype=object),
        np.array({"boundary": np.array(["text"])}, dtype=object),
    ],
    ids=["two", "flat", "integers", "nan", "other key", "list", "text"],
)
def test_other_contents_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "age.npy", array, allow_pickle=True)
    with pytest.raises(CheckpointError, match="expected a boundary of InterFaceGAN"):
        read(tmp_path / "age.npy")


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.array({"boundary": ROWS}, dtype=object), allow_pickle=True)
    whole = (tmp_path / "whole.npy").read_bytes()
    for end in range(0, len(whole), 17):
        (tmp_path / "part.npy").write_bytes(whole[:end])
        with pytest.raises(CheckpointError):
            read(tmp_path / "part.npy")
    with pytest.raises(CheckpointError, match="does not exist"):
        read(tmp_path / "nothing.npy")


def test_a_boundary_of_another_generator_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "age.npy", np.ones((1, 512)))
    with pytest.raises(CheckpointError, match=r"holds a boundary of \[512\], this generator's codes in w are \[6\]"):
        read(tmp_path / "age.npy")
