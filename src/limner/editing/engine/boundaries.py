"""Boundaries of other programs, read without running anything they carry.

InterFaceGAN writes a .npy of one unit vector [1, D]; IDInvert a .npy that holds a pickled dict with `boundary`
[1, num_ws, w_dim], every row of unit length, and `meta_data` with `manipulate_layers`. numpy reads the second only by
running the pickle. Here its instructions are listed by `pickletools`, which executes none, and only those that numbers,
text, lists, dicts and arrays need are followed; the names they mention are never looked up.
"""

from __future__ import annotations

import io
import math
import pickletools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy

from limner.editing.base import Direction, Space, unit
from limner.errors import CheckpointError

MAX_BYTES = 64 * 2**20
"""Larger files are no boundaries."""
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "INT", "BINUNICODE", "SHORT_BINUNICODE", "UNICODE"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINSTRING", "SHORT_BINSTRING"),
}
NOTHING = {"PROTO", "FRAME"}


@dataclass(eq=False)
class _Object:
    """What a call of a name made: its arguments and the state it was given."""

    name: str
    args: Any
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    """Where a group of values begins."""


def read_boundary(path: Path, *, name: str, space: Space, codes: dict[str, torch.Tensor]) -> Direction:
    """Read a boundary of InterFaceGAN or IDInvert.

    Args:
        path: .npy file.
        name: what it changes.
        space: where one of InterFaceGAN lives, which does not say: z or w; one of IDInvert is in w+.
        codes: space -> codes of the generator, which the standard deviation is measured on.

    Raises:
        CheckpointError: the file is missing, damaged, or holds something else.
    """
    values, layers = _read(path)
    if values.ndim not in (2, 3) or values.shape[0] != 1 or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise _refusal(path, f"an array {values.dtype} of {list(values.shape)}")
    vector = unit(torch.from_numpy(values[0].astype(np.float32)))
    place: Space = "w+" if vector.ndim == 2 else space
    known = codes[place]
    if known.shape[1:] != vector.shape:
        raise CheckpointError(
            f"'{path}' holds a boundary of {list(vector.shape)}, this generator's codes in {place} are "
            f"{list(known.shape[1:])}; it belongs to another generator"
        )
    products = (known * vector.to(known)).sum(-1)  # [N] or [N, L]
    deviation = (products if products.ndim == 1 else products.mean(1)).std().item()
    return Direction(
        name=name, space=place, vector=vector, deviation=deviation, layers=layers, source=f"boundary file {path.name}"
    )


def _read(path: Path) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Return the array of a boundary file, and its layers where it names some."""
    if not path.is_file():
        raise CheckpointError(f"'{path}' does not exist, expected a boundary (.npy); check the path")
    if path.stat().st_size > MAX_BYTES:
        raise _refusal(path, f"{path.stat().st_size:,} bytes")
    data = path.read_bytes()
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(stream)
        if dtype.hasobject:
            value = _unpickled(stream.read()) if shape == () else None
            return _dict_boundary(value)
        stream.seek(0)
        return npy.read_array(stream, allow_pickle=False), None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError) as error:
        raise _refusal(path, f"something else ({str(error).splitlines()[0] if str(error) else 'damaged'})") from None


def _refusal(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        f"'{path}' holds {got}, expected a boundary of InterFaceGAN, [1, D], or of IDInvert, a dict with 'boundary' "
        "[1, num_ws, w_dim]; check the file"
    )


def _dict_boundary(value: Any) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Return the array and the layers of IDInvert's dict, which lies in an array of one object."""
    (content,) = value.state[4]
    array = _array(content["boundary"])
    layers = content.get("meta_data", {}).get("manipulate_layers")
    return array, None if layers is None else tuple(int(layer) for layer in layers)


def _array(made: _Object) -> np.ndarray:
    """Return the numbers of an array as numpy's state gives them: (version, shape, type, is Fortran order, bytes)."""
    _, shape, kind, is_fortran, raw = made.state
    dtype = np.dtype({"f4": "<f4", "f8": "<f8"}[kind.args[0]])
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes for a shape of {list(shape)}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if is_fortran else "C")


def _unpickled(data: bytes) -> Any:
    """Follow the instructions of a pickle that build plain values; calls become `_Object`s.

    Raises:
        ValueError: another instruction.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        place = max(index for index, value in enumerate(stack) if isinstance(value, _Mark))
        group = stack[place + 1 :]
        del stack[place:]
        return group

    opcode: pickletools.OpcodeInfo
    argument: Any
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name == "MARK":
            stack.append(_Mark())
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("APPEND", "APPENDS"):
            values = [stack.pop()] if name == "APPEND" else since_mark()
            stack[-1].extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            flat = [stack.pop(-2), stack.pop()] if name == "SETITEM" else since_mark()
            stack[-1].update(zip(flat[::2], flat[1::2], strict=True))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_Object(argument, None))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_Object(f"{stack[-2]} {stack[-1]}", None)]
        elif name == "REDUCE":
            args = stack.pop()
            stack[-1] = _Object(stack[-1].name, args)
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].state = state
        elif name == "STOP":
            return stack.pop()
        elif name not in NOTHING:
            raise ValueError(f"pickle instruction {name}")
    raise ValueError("a pickle that does not end")
