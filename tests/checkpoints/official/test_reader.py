"""Valid files: what Python, numpy and torch write comes back as the same values."""

from __future__ import annotations

import argparse
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from checkpoints.official.foreign_files import write_torch
from limner.checkpoints.official.reader import read
from limner.checkpoints.official.records import Array, Global, Record
from limner.errors import CheckpointError

PLAIN: list[Any] = [
    None,
    True,
    False,
    *(0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63, -(2**70)),
    *(0.0, -1.5, 1e300, float("inf")),
    *("", "text", "\u20ac \U0001f600", "x" * 300, "\ud800"),
    [1, [2, [3]]],
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    {"a": 1, "b": {"c": None}, 3: (), None: [], True: "x"},
    {1, "two", None},
    OrderedDict(a=1, b=2),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))  # a set has another order in every process
def test_plain_values_come_back(tmp_path: Path, value: Any, protocol: int) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    assert read(tmp_path / "x.pkl")[0] == value


def test_values_that_occur_twice_are_one_value(tmp_path: Path) -> None:
    held = ["x"]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([held, held], protocol=4))
    value, _ = read(tmp_path / "x.pkl")
    assert value[0] is value[1]


ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    np.arange(6).reshape(2, 3)[:, ::2],
    np.float16(1.5) * np.ones(3, np.float16),
    np.array([True, False]),
    np.array([-1, 3], np.int8),
    np.array(2.5, np.float32),
    np.zeros((0, 3), np.float32),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_of_numpy_come_back(tmp_path: Path, array: np.ndarray, protocol: int) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(array, protocol=protocol))
    value, _ = read(tmp_path / "x.pkl")
    assert isinstance(value, Array)
    np.testing.assert_array_equal(value.tensor().numpy(), array)
    assert value.tensor().numpy().dtype == array.dtype


def test_arrays_and_text_of_python_2_come_back(tmp_path: Path) -> None:
    """Numbers as a string: short ones as text, long ones as bytes. Written by Python 2's pickle, protocol 2."""
    for count in (2, 40_000):
        raw = np.arange(count, dtype="<f4").tobytes()
        state = pickle.dumps((1, (count,)), 2)[2:-2] + b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tRI00\nT"
        content = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01K"
        content = content[:-4] + b"(K\x01J" + count.to_bytes(4, "little") + b"\x85" + state[state.index(b"cnumpy") :]
        (tmp_path / "x.pkl").write_bytes(b"\x80\x02" + content + len(raw).to_bytes(4, "little") + raw + b"tb.")
        assert read(tmp_path / "x.pkl")[0].tensor().tolist() == list(range(count))


def test_scalars_of_numpy_become_numbers(tmp_path: Path) -> None:
    value = [np.float32(1.5), np.int64(-3), np.bool_(True)]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=4))
    assert read(tmp_path / "x.pkl")[0] == [1.5, -3, True]


def test_big_endian_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(np.arange(3, dtype=">f4"), protocol=4))
    with pytest.raises(CheckpointError, match="big-endian"):
        read(tmp_path / "x.pkl")


BASE = torch.arange(24.0).view(4, 6)
CONTENT = {
    "plain": BASE,
    "turned": BASE.t(),
    "part": BASE[1:3, ::2],
    "the same storage": BASE[0],
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "scalar": torch.tensor(2.0),
    "empty": torch.zeros(0, 3),
    **{str(dtype): torch.tensor([1, 0], dtype=dtype) for dtype in (torch.float16, torch.bfloat16, torch.float64)},
    **{str(dtype): torch.tensor([1, 0], dtype=dtype) for dtype in (torch.int64, torch.int32, torch.int16, torch.int8)},
    **{str(dtype): torch.tensor([1, 0], dtype=dtype) for dtype in (torch.uint8, torch.bool)},
}


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_come_back_as_torch_itself_reads_them(tmp_path: Path, legacy: bool) -> None:
    path = write_torch(tmp_path / "x.pt", CONTENT, legacy=legacy)
    value, _ = read(path)
    expected: dict[str, Tensor] = torch.load(path, weights_only=True)
    assert value.keys() == expected.keys()
    for name, tensor in expected.items():
        got = value[name].tensor()
        assert (got.dtype, got.shape, got.is_contiguous()) == (tensor.dtype, tensor.shape, True)
        assert torch.equal(got, tensor)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_tensors_in_a_plain_pickle_come_back(tmp_path: Path, protocol: int) -> None:
    """Each is a call with the bytes of a legacy file of torch.save, as in NVIDIA's PyTorch pickles."""
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    value, _ = read(tmp_path / "x.pkl")
    for name, tensor in CONTENT.items():
        assert torch.equal(value[name].tensor(), tensor.detach()), name


def test_a_parsed_command_line_becomes_a_record(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"args": argparse.Namespace(size=16, path="x")})
    args = read(path)[0]["args"]
    assert isinstance(args, Record)
    assert (args.path, args.state) == ("argparse.Namespace", {"size": 16, "path": "x"})


def test_a_type_that_is_mentioned_is_two_words(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"dtype": torch.float16, "size": torch.Size([2, 3])})
    assert read(path)[0] == {"dtype": Global("torch", "float16"), "size": (2, 3)}


def test_the_tensors_of_a_file_are_copied_when_they_are_asked_for_and_not_before(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"x": torch.zeros(3)})
    array = read(path)[0]["x"]
    first, second = array.tensor(), array.tensor()
    first += 1
    assert (first.tolist(), second.tolist()) == ([1, 1, 1], [0, 0, 0])
