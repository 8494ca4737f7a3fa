"""Arrays and scalars of numpy as pickles spell them: an empty array that a state fills.

Source: numpy's documentation of `ndarray.__reduce__` and `__setstate__`: a state is (version, shape, type, is Fortran
order, bytes).
"""

from __future__ import annotations

import struct
from typing import Any

import torch

from limner.checkpoints.official.quota import Quota
from limner.checkpoints.official.records import Array, NumberType, Storage, contiguous_strides

DTYPES = {
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "b1": torch.bool,
}
"""numpy's spelling -> torch's type."""
FORMATS = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "b1": "?"}
"""numpy's spelling -> that of `struct`."""


def number_type(code: Any, quota: Quota) -> NumberType:
    """Return the type numpy calls `code`.

    Raises:
        CheckpointError: it is not one of numbers (objects, text, records).
    """
    name = code.lstrip("<=|") if isinstance(code, str) else code
    if not isinstance(name, str) or name not in DTYPES:
        raise quota.refused("holds an array of something other than numbers")
    return NumberType(name)


def fill_array(array: Array, state: tuple[Any, ...]) -> None:
    """Fill an array from numpy's state: (version, shape, type, is Fortran order, bytes).

    Raises:
        CheckpointError: the state is not numpy's, or its bytes are not as many as the shape needs.
    """
    quota = array.quota
    if len(state) != 5 or not isinstance(state[2], NumberType) or not isinstance(state[3], bool | int):
        raise quota.damaged("the state of an array is not numpy's")
    place_array(array, state[4], state[2], state[1], bool(state[3]))


def place_array(array: Array, raw: Any, kind: NumberType, shape: Any, is_fortran: bool) -> None:
    """Fill an array with `raw`, the bytes of all its numbers (Python 2 wrote short ones as text)."""
    quota, dtype = array.quota, DTYPES[kind.code]
    if isinstance(raw, str):
        raw = memoryview(_as_bytes(raw, quota))
    if not isinstance(raw, bytes | memoryview) or len(raw) % dtype.itemsize:
        raise quota.damaged("the numbers of an array are not bytes, or end inside a number")
    if kind.is_big_endian and dtype.itemsize > 1:
        raise quota.refused("holds numbers in big-endian order, which no checkpoint of ours was published in")
    if not isinstance(shape, tuple) or len(shape) > 32 or any(type(side) is not int or side < 0 for side in shape):
        raise quota.damaged("an array has a shape that is not made of counts")
    storage = Storage(dtype, len(raw) // dtype.itemsize, memoryview(raw))
    strides = contiguous_strides(shape, is_fortran=is_fortran)
    array.fill(storage, shape, strides, 0)
    if (numel := _product(shape)) != storage.numel:
        raise quota.damaged(f"an array of shape {list(shape)} has {storage.numel:,} numbers, expected {numel:,}")


def scalar(kind: Any, raw: Any, quota: Quota) -> int | float | bool:
    """Return a numpy scalar as a number of Python."""
    if isinstance(raw, str):
        raw = _as_bytes(raw, quota)
    if not isinstance(kind, NumberType) or not isinstance(raw, bytes | memoryview):
        raise quota.damaged("a number of numpy is not one")
    if len(raw) != DTYPES[kind.code].itemsize:
        raise quota.damaged(f"a number has {len(raw)} bytes, expected {DTYPES[kind.code].itemsize}")
    value: int | float | bool = struct.unpack((">" if kind.is_big_endian else "<") + FORMATS[kind.code], raw)[0]
    return value


def _as_bytes(text: str, quota: Quota) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise quota.damaged("numbers are written as text that is not bytes") from None


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product
