"""Pickles that declare false sizes, and pickles that cost too much."""

from __future__ import annotations

import pickle
import struct
import time
from pathlib import Path

import pytest

from checkpoints.official.canary import refuse, try_reading
from checkpoints.official.opcodes import (
    F4,
    NUMPY_EMPTY,
    ORDERED,
    REBUILD,
    binary,
    call,
    name,
    numpy_state,
    text,
)
from limner.checkpoints.official import quota as quotas
from limner.checkpoints.official.machine import Machine
from limner.checkpoints.official.quota import Quota

PLAIN = [None, True, 7, -(2**70), 1.5, "text", "\u20ac", [1, [2]], (1, 2, 3, 4), {"a": {"b": None}}]


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_the_instructions_of_the_oldest_pickles_build_the_same_values(value: object, protocol: int) -> None:
    """Files begin with later instructions; these may still occur in them."""
    data = pickle.dumps(value, protocol=protocol)
    assert Machine(memoryview(data), Quota("x", len(data)), {}).run() == value


def test_strings_of_python_2_are_text() -> None:
    data = b"(lp0\nS'it\\'s \\xe9'\naU\x01\xe9aT\x01\x00\x00\x00xa."
    assert Machine(memoryview(data), Quota("x", len(data)), {}).run() == ["it's \xe9", "\xe9", "x"]


SIZES = {
    "a text of 4 GB": b"X\xff\xff\xff\xffabc",
    "a text of 16 EB": b"\x8d" + b"\xff" * 8 + b"abc",
    "bytes of 4 GB": b"B\xff\xff\xff\xffabc",
    "bytes of 16 EB": b"\x8e" + b"\xff" * 8,
    "a bytearray of 16 EB": b"\x96" + b"\xff" * 8,
    "a string of negative length": b"T\xff\xff\xff\xff",
    "a number of 2 GB": b"\x8b\xff\xff\xff\x7f",
    "a number of negative length": b"\x8b\xff\xff\xff\xff",
    "a number of 200 bytes": b"\x8a\xc8" + b"\x01" * 200,
    "a number of 4000 digits": b"L" + b"9" * 4000 + b"L\n",
    "a line without end": b"I" + b"1" * 10_000,
    "a frame of 16 EB": b"\x95" + b"\xff" * 8,
    "a kept value of number 2^32": b"j\xff\xff\xff\xff",
    "nothing to keep": b"\x94",
    "nothing to pop": b"0",
    "a tuple of nothing": b"\x87",
    "a group without a beginning": b"t",
    "a key without a value": b"(K\x01d",
    "an item for a list": b"](K\x01K\x02u",
    "an item for a dict": b"}K\x01a",
    "a number that is a word": b"Iseven\n",
    "a number with marks": b"I1_000\n",
    "a float that is a word": b"Fseven\n",
    "a text that is not Unicode": b"X\x02\x00\x00\x00\xff\xfe",
    "a quoted text without quotes": b"Sabc\n",
    "a quoted text with a wrong escape": b"S'\\x1'\n",
    "protocol 9": b"\x80\x09N",
    "no instruction": b"\xff",
    "an array of negative shape": numpy_state(b"J\xff\xff\xff\xff\x85", binary(b"1234")),
    "an array of 2^62 numbers": numpy_state(b"\x8a\x08" + b"\x00" * 7 + b"\x40\x85", binary(b"1234")),
    "an array of 40 sides": numpy_state(b"(" + b"K\x01" * 40 + b"t", binary(b"1234")),
    "an array of 2 numbers in 4 bytes": numpy_state(b"K\x02\x85", binary(b"1234")),
    "an array of half a number": numpy_state(b"K\x01\x85", binary(b"12345")),
    "an array with a shape of texts": numpy_state(text("x") + b"\x85", binary(b"1234")),
    "an array with a true side": numpy_state(b"\x88\x85", binary(b"1234")),
    "an array whose bytes are a list": numpy_state(b"K\x01\x85", b"]"),
    "an array whose bytes are wide text": numpy_state(b"K\x01\x85", text("\u20ac")),
    "an array without a type": numpy_state(b"K\x01\x85", binary(b"1234"), b"N"),
    "an array of a short state": NUMPY_EMPTY + b"(K\x01tb",
    "a scalar of too many bytes": call(name("numpy.core.multiarray", "scalar"), F4, binary(b"12345")),
    "a scalar without bytes": call(name("numpy.core.multiarray", "scalar"), F4),
    "a scalar without a type": call(name("numpy.core.multiarray", "scalar"), b"N", binary(b"1234")),
    "a dict of pairs that are none": call(ORDERED, b"(K\x01l"),
    "a set of a number": call(name("builtins", "set"), b"K\x01"),
    "a size of a number": call(name("torch", "Size"), b"K\x01"),
    "a device that is a number": call(name("torch", "device"), b"K\x01"),
    "a parameter of a text": call(name("torch._utils", "_rebuild_parameter"), text("x"), b"\x88"),
    "a tensor of a text": call(REBUILD, text("x"), b"K\x00", b")", b")"),
    "numbers after the file": b"",
}


@pytest.mark.parametrize("what", SIZES)
def test_declared_sizes_are_compared_with_what_is_there(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pkl", b"\x80\x04" + SIZES[what] + b"." * bool(SIZES[what]))


BOMBS = {
    "too many instructions": b"N0" * (quotas.MAX_OPCODES // 2 + 1) + b"N",
    "too many sets": b"\x8f" * (quotas.MAX_OPCODES + 1),
    "too many marks": b"(" * 10_000,
    "too much text": (b"X" + struct.pack("<I", 2**20) + b"a" * 2**20) * 17,
    "numbers used a million times": (
        numpy_state(b"\x8a\x04\x00\x00\x04\x00\x85", binary(bytes(2**20))).replace(F4, F4, 1)
        + (b"q\x000" + NUMPY_EMPTY + b"0") * 10
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_file_that_costs_too_much_is_refused_in_time(tmp_path: Path, what: str) -> None:
    started = time.process_time()
    refuse(tmp_path / "x.pkl", b"\x80\x04" + BOMBS[what] + b".")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("wrap", [b"\x86", b"\x86}" + text("x") + b"h\x00s"])
def test_a_billion_laughs_cost_nothing(tmp_path: Path, wrap: bytes) -> None:
    """Each value holds the one before twice; walked out there would be 2^60 of them."""
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04" + text("ha") + b"q\x00" + b"h\x00h\x00\x86q\x000h\x00" * 60 + b".")
    _, peak = try_reading(tmp_path / "x.pkl")
    assert peak < 2**22
