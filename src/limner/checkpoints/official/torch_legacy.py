"""The older format of torch.save (before torch 1.6), which torch also uses for every storage inside a plain pickle.

Five pickles in a row (magic number, protocol, facts about the machine, the object, the keys of its storages), then for
each key the count of its numbers (8 bytes) and the numbers, little-endian. The object refers to storages by persistent
ids: ('storage', type, key, device, count, None or (key, offset, count) of a view).

Source: what torch 1 and 2 write; checked against `torch.load(weights_only=True)` in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from limner.checkpoints.official.machine import Constructor, Machine
from limner.checkpoints.official.quota import Quota
from limner.checkpoints.official.records import Global, Storage

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAGIC_PICKLE = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
"""What such a file begins with."""
STORAGES = {
    Global("torch", name): dtype
    for name, dtype in (
        ("DoubleStorage", torch.float64),
        ("FloatStorage", torch.float32),
        ("HalfStorage", torch.float16),
        ("BFloat16Storage", torch.bfloat16),
        ("LongStorage", torch.int64),
        ("IntStorage", torch.int32),
        ("ShortStorage", torch.int16),
        ("CharStorage", torch.int8),
        ("ByteStorage", torch.uint8),
        ("BoolStorage", torch.bool),
    )
}
"""Type of a storage -> type of its numbers."""


def read_legacy(data: memoryview, quota: Quota, constructors: Mapping[Global, Constructor | None]) -> Any:
    """Return the object of a legacy file of torch.save.

    Args:
        data: the whole file.
        quota: what may be spent.
        constructors: what its object may mention.

    Raises:
        CheckpointError: it is damaged or asks for something outside the table.
    """
    position = 0
    storages: dict[str, Storage] = {}

    def read(table: Mapping[Global, Constructor | None], load: Any = None) -> Any:
        nonlocal position
        machine = Machine(data, quota, table, start=position, persistent_load=load)
        value = machine.run()
        position = machine.position
        return value

    def load(machine: Machine, identity: Any) -> Storage:
        return _storage(storages, identity, quota)

    if read({}) != MAGIC or read({}) != PROTOCOL:
        raise quota.damaged("it does not begin like a file of torch.save")
    facts = read({})
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise quota.refused("was not written on a little-endian machine")
    value = read(constructors, load)
    keys = read({})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != set(storages):
        raise quota.damaged("it does not list the storages it uses")
    for key in keys:
        position = _attach(storages[key], data, position, quota)
    return value


def parse_identity(identity: Any, quota: Quota) -> tuple[torch.dtype, str, int]:
    """Return (type of the numbers, key, count) of the persistent id of a storage."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise quota.damaged("it refers to something that is not a storage")
    kind, key, numel = identity[1], identity[2], identity[4]
    if not isinstance(kind, Global) or kind not in STORAGES or not isinstance(key, str):
        raise quota.damaged("a storage has an unknown type, or a key that is not text")
    if type(numel) is not int or numel < 0:
        raise quota.damaged("a storage has a size that is not a count")
    return STORAGES[kind], key, numel


def _storage(storages: dict[str, Storage], identity: Any, quota: Quota) -> Storage:
    dtype, key, numel = parse_identity(identity, quota)
    root = storages.setdefault(key, Storage(dtype, numel))
    if (root.dtype, root.numel) != (dtype, numel):
        raise quota.damaged(f"storage '{key[:20]}' is declared twice, differently")
    if identity[5:] not in ((), (None,)):
        raise quota.refused("uses a part of a storage as torch did before 0.4")
    return root


def _attach(storage: Storage, data: memoryview, position: int, quota: Quota) -> int:
    """Give a storage its numbers, which begin at `position` with their count; return where they end."""
    start = position + 8
    end = start + storage.numel * storage.dtype.itemsize
    if end > len(data):
        raise quota.damaged(f"it ends after {len(data):,} bytes, inside the numbers of a storage")
    if int.from_bytes(data[position:start], "little", signed=True) != storage.numel:
        raise quota.damaged("a storage holds another count of numbers than declared")
    storage.data = data[start:end]
    return end
