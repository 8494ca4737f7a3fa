"""The allow-list: every name an official file may mention, and the inert value made in its place.

What is not in `CONSTRUCTORS` is refused by name. None marks a name that may be mentioned and not called (types of
storages and of numbers). Sources: what Python, numpy and torch write for the objects in question; the class names of
NVIDIA's checkpoints (`dnnlib`, `tfutil`, `torch_utils.persistence`) and of rosinality's (`argparse`).
"""

from __future__ import annotations

from typing import Any

from limner.checkpoints.official import numpy_arrays
from limner.checkpoints.official.machine import Constructor, Machine
from limner.checkpoints.official.records import Array, Global, NumberType, Record, Storage
from limner.checkpoints.official.torch_legacy import STORAGES, read_legacy

PERSISTENCE_VERSION = 6
"""Newest layout of NVIDIA's persistent objects; there was no other in a published file."""


def _arguments(machine: Machine, args: tuple[Any, ...], *kinds: type | tuple[type, ...]) -> None:
    """Raise `CheckpointError` unless the arguments begin with values of `kinds`."""
    if len(args) < len(kinds) or not all(isinstance(arg, kind) for arg, kind in zip(args, kinds, strict=False)):
        raise machine.quota.damaged("a listed name is called with arguments it does not take")


def _ordered_dict(machine: Machine, args: tuple[Any, ...]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in args[0] if args and isinstance(args[0], list) else ():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise machine.quota.damaged("an item of a dict is not a pair")
        made[machine.key(pair[0])] = pair[1]
    return made


def _set(machine: Machine, args: tuple[Any, ...]) -> set[Any]:
    _arguments(machine, args, (list, tuple, set))
    return {machine.key(value) for value in args[0]}


def _tuple(machine: Machine, args: tuple[Any, ...]) -> tuple[Any, ...]:
    _arguments(machine, args, (list, tuple))
    return tuple(args[0])


def _text(machine: Machine, args: tuple[Any, ...]) -> str:
    _arguments(machine, args, str)
    text: str = args[0]
    return text


def _encode(machine: Machine, args: tuple[Any, ...]) -> bytes:
    """How protocol 2 writes bytes: text to be encoded in latin-1."""
    _arguments(machine, args, str, str)
    machine.quota.spend_text(len(args[0]))
    try:
        return args[0].encode("latin-1") if args[1] in ("latin1", "latin-1") else b""
    except UnicodeEncodeError:
        raise machine.quota.damaged("bytes are written as text that is not bytes") from None


def _empty_bytes(machine: Machine, args: tuple[Any, ...]) -> bytes:
    """How protocol 2 writes bytes when there are none."""
    if args:
        raise machine.quota.damaged("a listed name is called with arguments it does not take")
    return b""


def _record(path: str) -> Constructor:
    return lambda machine, args: Record(path, args)


def _persistent_object(machine: Machine, args: tuple[Any, ...]) -> Record:
    """An object of NVIDIA's torch_utils.persistence. The source code it carries is kept as text and never looked at."""
    _arguments(machine, args, dict)
    meta = args[0]
    name, state = meta.get("class_name"), meta.get("state")
    if meta.get("type") != "class" or not isinstance(name, str) or not isinstance(state, dict):
        raise machine.quota.damaged("a persistent object has no class or no state")
    if meta.get("version") != PERSISTENCE_VERSION:
        raise machine.quota.refused(f"holds a persistent object that is not of version {PERSISTENCE_VERSION}")
    return Record(f"torch_utils.persistence.{name}", args, state)


def _empty_array(machine: Machine, args: tuple[Any, ...]) -> Array:
    if not args or args[0] != Global("numpy", "ndarray"):
        raise machine.quota.refused("builds an array of a class that is not numpy's ndarray")
    return Array(machine.quota)


def _number_type(machine: Machine, args: tuple[Any, ...]) -> NumberType:
    _arguments(machine, args, str)
    return numpy_arrays.number_type(args[0], machine.quota)


def _scalar(machine: Machine, args: tuple[Any, ...]) -> int | float | bool:
    _arguments(machine, args, NumberType)
    return numpy_arrays.scalar(args[0], args[1] if len(args) > 1 else b"", machine.quota)


def _array_of_buffer(machine: Machine, args: tuple[Any, ...]) -> Array:
    """How protocol 5 writes an array: (bytes, type, shape, order)."""
    _arguments(machine, args, (bytes, memoryview), NumberType, tuple, str)
    array = Array(machine.quota)
    numpy_arrays.place_array(array, args[0], args[1], args[2], args[3] == "F")
    return array


def _tensor(machine: Machine, args: tuple[Any, ...]) -> Array:
    """A torch tensor: (storage, offset, shape, strides, ...), in elements."""
    _arguments(machine, args, Storage, int, tuple, tuple)
    array = Array(machine.quota)
    array.fill(args[0], args[2], args[3], args[1])
    return array


def _parameter(machine: Machine, args: tuple[Any, ...]) -> Array:
    _arguments(machine, args, Array)
    array: Array = args[0]
    return array


def _storage(machine: Machine, args: tuple[Any, ...]) -> Storage:
    """Bytes that are a file of torch.save with one storage in it."""
    _arguments(machine, args, (bytes, memoryview))
    storage: Storage = read_legacy(memoryview(args[0]), machine.quota, STORAGE_NAMES)
    if not isinstance(storage, Storage):
        raise machine.quota.damaged("the bytes of a storage hold something else")
    return storage


CONSTRUCTORS: dict[Global, Constructor | None] = {
    # Python
    Global("collections", "OrderedDict"): _ordered_dict,
    Global("builtins", "set"): _set,
    Global("__builtin__", "set"): _set,
    Global("_codecs", "encode"): _encode,
    Global("__builtin__", "bytes"): _empty_bytes,
    Global("argparse", "Namespace"): _record("argparse.Namespace"),
    # numpy, before and after 2.0
    **{
        Global(f"numpy.{core}.{module}", name): constructor
        for core in ("core", "_core")
        for module, name, constructor in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_of_buffer),
        )
    },
    Global("numpy", "dtype"): _number_type,
    Global("numpy", "ndarray"): None,
    # torch
    **dict.fromkeys(STORAGES),
    Global("torch._utils", "_rebuild_tensor"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch.storage", "_load_from_bytes"): _storage,
    Global("torch", "Size"): _tuple,
    Global("torch", "device"): _text,
    **{Global("torch", str(dtype).removeprefix("torch.")): None for dtype in STORAGES.values()},
    # NVIDIA
    Global("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_object,
    Global("dnnlib.tflib.network", "Network"): _record("dnnlib.tflib.network.Network"),
    Global("tfutil", "Network"): _record("tfutil.Network"),
    **{Global(module, "EasyDict"): _ordered_dict for module in ("dnnlib.util", "dnnlib", "config", "easydict")},
}
STORAGE_NAMES: dict[Global, Constructor | None] = dict.fromkeys(STORAGES)
"""What the pickles inside the bytes of a storage may mention."""
