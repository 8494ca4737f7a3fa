"""Networks of other programs, as found in a file: names, settings, tensors; and taking the objects of NVIDIA apart.

Sources: NVIDIA's persistent objects are modules whose state is a torch module's `__dict__`; NVIDIA's TensorFlow
networks have variables of their own and components with more.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from limner.checkpoints.official.quota import MAX_NESTING, Quota
from limner.checkpoints.official.records import Array, Record, Storage, Tensors

PERSISTENT = "torch_utils.persistence."
TENSORFLOW = ("dnnlib.tflib.network.Network", "tfutil.Network")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ForeignNetwork:
    """One network of a file."""

    class_name: str
    """Class or building function, such as `Generator` or `G_main`; empty when the file does not say."""
    settings: Mapping[str, Any]
    """What it was built with: plain values, nested mappings and lists."""
    tensors: Tensors
    """Its tensors under the names of the file, copied out of it on access."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ForeignFile:
    """A file of another program, recognised."""

    path: str
    layout: str
    """Who names tensors this way: `nvidia-pytorch`, `nvidia-tensorflow`, `rosinality`, `genforce`, `idinvert`."""
    room: str
    """Paper that holds such networks: a folder of `limner/papers`."""
    networks: Mapping[str, ForeignNetwork]
    """Under the names of the file: `G_ema`, `Gs`, `g_ema`, ..."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Plain values beside the networks, such as `ada_aug_p`, and arrays as `Tensors` under `tensors`."""


def persistent_network(record: Record, quota: Quota) -> ForeignNetwork:
    """Take a persistent module apart: parameters and buffers by dotted name.

    Raises:
        CheckpointError: it is no module, or its modules contain one another.
    """
    arrays: dict[str, Array] = {}
    _collect_persistent(record, "", arrays, quota, 0)
    attributes = {key: value for key, value in record.state.items() if isinstance(value, int | float | str)}
    init = record.state.get("_init_kwargs")
    settings = plain({**attributes, **(init if isinstance(init, dict) else {})}, quota)
    return ForeignNetwork(class_name=record.path.removeprefix(PERSISTENT), settings=settings, tensors=Tensors(arrays))


def _collect_persistent(record: Record, prefix: str, arrays: dict[str, Array], quota: Quota, depth: int) -> None:
    if depth > MAX_NESTING:
        raise quota.damaged("its modules contain one another")
    for group in ("_parameters", "_buffers", "_modules"):
        items = record.state.get(group, {})
        if not isinstance(items, dict) or not all(isinstance(name, str) for name in items):
            raise quota.damaged(f"the {group} of a module are no dict by name")
        for name, value in items.items():
            quota.spend_step()
            if isinstance(value, Record) and group == "_modules":
                _collect_persistent(value, f"{prefix}{name}.", arrays, quota, depth + 1)
            elif isinstance(value, Array) and group != "_modules":
                arrays[prefix + name] = value
            elif value is not None:
                raise quota.damaged(f"the {group} of a module hold a {type(value).__name__}")


def tensorflow_network(record: Record, quota: Quota) -> ForeignNetwork:
    """Take a network of NVIDIA's TensorFlow programs apart: variables by name, components' with their prefix.

    Raises:
        CheckpointError: it is of an unknown version, or its components contain one another.
    """
    arrays: dict[str, Array] = {}
    settings: dict[str, Any] = {}
    _collect_tensorflow(record, "", arrays, settings, quota, 0)
    name = record.state.get("build_func_name")
    return ForeignNetwork(class_name=name if isinstance(name, str) else "", settings=settings, tensors=Tensors(arrays))


def _collect_tensorflow(
    record: Record, prefix: str, arrays: dict[str, Array], settings: dict[str, Any], quota: Quota, depth: int
) -> None:
    quota.spend_step()
    if depth > MAX_NESTING:
        raise quota.damaged("its networks contain one another")
    version = record.state.get("version")
    if version not in (2, 3, 4):
        raise quota.refused("holds a TensorFlow network that is not of version 2, 3 or 4")
    components, variables = record.state.get("components", {}), record.state.get("variables", [])
    if not isinstance(components, dict) or not isinstance(variables, list):
        raise quota.damaged("the variables of a network are no list")
    for name, component in components.items():
        if not isinstance(component, Record) or not isinstance(name, str):
            raise quota.damaged("a component of a network is no network")
        _collect_tensorflow(component, f"{prefix}{name}/", arrays, settings, quota, depth + 1)
    for pair in variables:
        quota.spend_step()
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise quota.damaged("a variable of a network has no name")
        if isinstance(pair[1], Array):
            arrays[prefix + pair[0]] = pair[1]
        elif isinstance(pair[1], int | float):  # numpy's scalars: noise strengths, the level of detail
            array = arrays[prefix + pair[0]] = Array(quota)
            array.fill(Storage(torch.float32, 1, memoryview(struct.pack("<f", pair[1]))), (), (), 0)
        else:
            raise quota.damaged("a variable of a network is not made of numbers")
    static = record.state.get("static_kwargs", {})
    settings.update(plain(static if isinstance(static, dict) else {}, quota))


def state_dict(value: Any, quota: Quota) -> Tensors | None:
    """Return a state dict of torch as tensors, without the prefix of a wrapped module; None if `value` is none."""
    if not isinstance(value, dict) or not value:
        return None
    arrays: dict[str, Array] = {}
    for name, array in value.items():
        quota.spend_step()
        if not isinstance(name, str) or not isinstance(array, Array):
            return None
        arrays[name] = array
    if all(name.startswith("module.") for name in arrays):
        arrays = {name.removeprefix("module."): array for name, array in arrays.items()}
    return Tensors(arrays)


def plain(value: Any, quota: Quota, depth: int = 0) -> Any:
    """Return settings as plain values: dicts by name, lists, text and numbers; anything else is left out.

    Raises:
        CheckpointError: they contain one another.
    """
    quota.spend_step()
    if depth > MAX_NESTING:
        raise quota.damaged("its settings contain one another")
    if isinstance(value, dict):
        items = ((key, plain(item, quota, depth + 1)) for key, item in value.items() if isinstance(key, str))
        return {key: item for key, item in items if item is not None or value[key] is None}
    if isinstance(value, list | tuple):
        return [plain(item, quota, depth + 1) for item in value]
    return value if isinstance(value, str | int | float) else None
