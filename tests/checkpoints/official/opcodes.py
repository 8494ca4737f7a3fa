"""Pickles written instruction by instruction, for what Python's own pickle would not write."""

from __future__ import annotations

import pickle
import struct

from limner.checkpoints.official.torch_legacy import MAGIC_PICKLE

CODE = b"S'touch canary'\n"
"""Argument of the calls in malicious files."""


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, member: str) -> bytes:
    return b"c" + module.encode() + b"\n" + member.encode() + b"\n"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def binary(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


PICKLE_OF_CODE = b"\x80\x02" + call(name("os", "system"), CODE) + b"."
ORDERED = name("collections", "OrderedDict")
FLOATS = name("torch", "FloatStorage")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
NUMPY_EMPTY = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"(K\x00t", binary(b"b"))
F4 = call(name("numpy", "dtype"), text("f4"), b"I00\n", b"I01\n")


def numpy_state(shape: bytes, raw: bytes, kind: bytes = F4) -> bytes:
    return NUMPY_EMPTY + b"(K\x01" + shape + kind + b"\x89" + raw + b"tb"


def legacy_file(value: bytes, keys: bytes = b"(X\x01\x00\x00\x000l", data: bytes = b"", count: int = 2) -> bytes:
    head = MAGIC_PICKLE + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    return head + b"\x80\x02" + value + b"." + b"\x80\x02" + keys + b"." + struct.pack("<q", count) + data


def identity(numel: bytes = b"K\x02", kind: bytes = FLOATS, key: bytes = text("0")) -> bytes:
    return b"(" + text("storage") + kind + key + text("cpu") + numel + b"NtQ"


def tensor(
    storage: bytes, offset: bytes = b"K\x00", shape: bytes = b"K\x02\x85", strides: bytes = b"K\x01\x85"
) -> bytes:
    return call(REBUILD, storage, offset, shape, strides, b"\x89", ORDERED + b")R")


def persistent_file(state: bytes) -> bytes:
    fields = text("type") + text("class") + text("version") + b"K\x06" + text("class_name") + text("Generator")
    record = call(
        name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"(" + fields + text("state") + state + b"d"
    )
    return b"\x80\x04}" + text("G_ema") + record + b"s."
