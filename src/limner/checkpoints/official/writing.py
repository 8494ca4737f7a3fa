"""Files for other programs: a pickle that names three classes and runs nothing, and what torch.save writes.

The pickle for NVIDIA's programs is emitted instruction by instruction (protocol 4): text, numbers, dicts, lists,
tuples, numpy arrays, and objects of `dnnlib.tflib.network.Network`, which its readers take for holders of names and
arrays. The fields for source code are there and empty.

Source: the fields of NVIDIA's TensorFlow networks of version 4; the opcodes of Python's `pickletools`; numpy's pickles.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from limner.errors import CheckpointError
from limner.runtime import atomic_file

NETWORK = ("dnnlib.tflib.network", "Network")
CODES = {torch.float32: "f4", torch.float64: "f8"}
"""Type of a tensor -> numpy's spelling."""


def write_nvidia(path: Path, networks: Mapping[str, Mapping[str, Any]]) -> None:
    """Write G, D and Gs as NVIDIA's TensorFlow programs do.

    Args:
        path: file to make.
        networks: for each `name`, `settings` (plain values) and `variables` (name -> tensor).

    Raises:
        CheckpointError: the file cannot be written.
    """
    parts = tuple(_network(networks[name]) for name in ("G", "D", "Gs"))
    try:
        with atomic_file(path, sync=True) as file:
            file.write(b"\x80\x04")
            _emit(parts, file)
            file.write(b".")
    except OSError as error:
        raise CheckpointError(f"cannot write '{path}': {error.strerror or error}; choose another place") from None


def write_rosinality(path: Path, content: Mapping[str, Any]) -> None:
    """Write a .pt of state dicts, which torch.load reads with `weights_only=True`.

    Raises:
        CheckpointError: the file cannot be written.
    """
    try:
        with atomic_file(path, sync=True) as file:
            torch.save(dict(content), file)
    except OSError as error:
        raise CheckpointError(f"cannot write '{path}': {error.strerror or error}; choose another place") from None


class _Network(dict[str, Any]):
    """The state of an object of NVIDIA's class of networks."""


def _network(network: Mapping[str, Any]) -> _Network:
    """Return a network with its components: variables below `mapping/` and `synthesis/` go to those."""
    held: dict[str, list[tuple[str, Tensor]]] = {"": [], "mapping": [], "synthesis": []}
    for name, tensor in network["variables"].items():
        part, _, rest = name.partition("/")
        held[part if part in held else ""].append((rest if part in held else name, tensor))
    kind = "D_stylegan2" if network["name"] == "D" else "G_main"
    components = {
        part: _state(f"G_{part}", f"G_{part}", network["settings"], {}, held[part])
        for part in held
        if part and held[part]
    }
    return _state(network["name"], kind, network["settings"], components, held[""])


def _state(
    name: str,
    function: str,
    settings: Mapping[str, Any],
    components: Mapping[str, Any],
    variables: list[tuple[str, Tensor]],
) -> _Network:
    return _Network(
        version=4,
        name=name,
        static_kwargs=dict(settings),
        components=dict(components),
        build_module_src="",
        build_func_name=function,
        variables=variables,
    )


def _emit(value: Any, file: IO[bytes]) -> None:
    """Write the instructions that build `value`."""
    if value is None:
        file.write(b"N")
    elif isinstance(value, bool):
        file.write(b"\x88" if value else b"\x89")
    elif isinstance(value, int):
        file.write(b"J" + struct.pack("<i", value))
    elif isinstance(value, float):
        file.write(b"G" + struct.pack(">d", value))
    elif isinstance(value, str):
        raw = value.encode()
        file.write(b"X" + struct.pack("<I", len(raw)) + raw)
    elif isinstance(value, Tensor):
        _emit_array(value, file)
    elif isinstance(value, _Network):
        _emit_name(*NETWORK, file)
        file.write(b")\x81")
        _emit(dict(value), file)
        file.write(b"b")
    elif isinstance(value, dict):
        file.write(b"}(")
        for key, item in value.items():
            _emit(key, file)
            _emit(item, file)
        file.write(b"u")
    else:
        file.write(b"](" if isinstance(value, list) else b"(")
        for item in value:
            _emit(item, file)
        file.write(b"e" if isinstance(value, list) else b"t")


def _emit_name(module: str, name: str, file: IO[bytes]) -> None:
    file.write(f"c{module}\n{name}\n".encode())


def _emit_array(tensor: Tensor, file: IO[bytes]) -> None:
    """numpy's own spelling: an empty array of the class, then its state."""
    _emit_name("numpy.core.multiarray", "_reconstruct", file)
    _emit_name("numpy", "ndarray", file)
    file.write(b"K\x00\x85C\x01b\x87R(K\x01")
    _emit(tuple(tensor.shape), file)
    _emit_name("numpy", "dtype", file)
    _emit((CODES[tensor.dtype], False, True), file)
    file.write(b"R")
    _emit((3, "<", None, None, None, -1, -1, 0), file)
    file.write(b"b\x89\x8e" + struct.pack("<Q", tensor.numel() * tensor.element_size()))
    file.write(tensor.contiguous().reshape(-1).numpy().data)
    file.write(b"tb")
