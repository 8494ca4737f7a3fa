"""What an official file becomes: inert values. None of them has behaviour that the file decides.

Text, numbers, lists, tuples, dicts and sets are Python's; a class or function the file names is a `Global`, an object
of such a class a `Record`, and arrays of numpy and tensors of torch are `Array`s, which refer to the bytes of the
mapped file until `tensor` copies them. Equality is identity and nothing prints its contents, so that a value that
refers to itself, or to itself a billion times, can be held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from limner.checkpoints.official.quota import Quota


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function; nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
class Record:
    """An object of a listed class: its path, what it was made from, and its attributes."""

    path: str
    """Module and class, such as `dnnlib.tflib.network.Network`."""
    args: tuple[Any, ...] = ()
    """Arguments of its constructor."""
    state: dict[Any, Any] = field(default_factory=dict)
    """Its attributes."""


@dataclass(eq=False, repr=False, slots=True)
class NumberType:
    """A type of numbers in numpy's spelling, such as `f4`; its byte order comes later in a pickle."""

    code: str
    is_big_endian: bool = False


@dataclass(eq=False, repr=False, slots=True)
class Storage:
    """The numbers of one or more tensors, in the file; its bytes may come after the tensors that use it."""

    dtype: torch.dtype
    numel: int
    data: memoryview | None = None
    offset: int = 0
    """First element in `data`."""


@dataclass(eq=False, repr=False, slots=True)
class Array:
    """An array of numpy or a tensor of torch whose numbers are still in the file."""

    quota: Quota
    storage: Storage | None = None
    """None until a pickle has filled it."""
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    """In elements."""
    offset: int = 0
    """Of the first element, in elements."""

    def fill(self, storage: Storage, shape: Any, strides: Any, offset: Any) -> None:
        """Place the array in a storage.

        Raises:
            CheckpointError: it does not lie inside, or it is larger than the storage (numbers used more than once).
        """
        lists = (shape, strides, (offset,))
        if any(type(values) is not tuple or any(type(n) is not int or n < 0 for n in values) for values in lists):
            raise self.quota.damaged("an array has a shape that is not made of counts")
        if len(shape) != len(strides) or len(shape) > 32:
            raise self.quota.damaged(f"an array has {len(shape)} sides and {len(strides)} strides")
        numel = math.prod(shape)
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        if numel and (numel > storage.numel or last >= storage.numel):
            raise self.quota.damaged(f"an array of shape {list(shape)} lies outside its {storage.numel} numbers")
        self.quota.spend_numbers(numel * storage.dtype.itemsize)
        self.storage, self.shape, self.strides, self.offset = storage, shape, strides, offset

    def tensor(self) -> Tensor:
        """Copy the numbers out of the file: a contiguous tensor on the CPU, of the file's type.

        Raises:
            CheckpointError: the file declares the array without giving its numbers.
        """
        storage = self.storage
        if storage is None or storage.data is None:
            raise self.quota.damaged("an array is declared and its numbers are missing")
        if 0 in self.shape:
            return torch.empty(self.shape, dtype=storage.dtype)
        extent = 1 + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        size = storage.dtype.itemsize
        start = (storage.offset + self.offset) * size
        flat = torch.frombuffer(bytearray(storage.data[start : start + extent * size]), dtype=storage.dtype)
        return flat.as_strided(self.shape, self.strides).contiguous()


class Tensors(Mapping[str, Tensor]):
    """Arrays by name, each copied out of the file when it is asked for."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> Tensor:
        return self._arrays[name].tensor()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, without copying it."""
        return self._arrays[name].shape


def contiguous_strides(shape: tuple[int, ...], *, is_fortran: bool = False) -> tuple[int, ...]:
    """Strides in elements of a dense array in C order (last index fastest) or Fortran order (first fastest)."""
    sides = shape if is_fortran else shape[::-1]
    strides = [math.prod(sides[:place]) for place in range(len(sides))]
    return tuple(strides if is_fortran else strides[::-1])
