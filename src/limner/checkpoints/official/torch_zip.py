"""The newer format of torch.save (since torch 1.6): a zip with one pickle, and one uncompressed member a storage.

`torch.load(weights_only=True)` would read it, with two reservations: it refuses every training file of rosinality (they
hold an `argparse.Namespace`) unless the caller widens its list for the whole process, and it copies every storage,
optimiser included, before anything can be looked at. The machine here reads the same pickle against one table for all
formats, and storages stay in the mapped file. The tests compare both readers.

Names are used as keys alone, nothing is unpacked to the disk; a name that tries to leave its folder, a link, a
compressed or encrypted member and a member that does not lie in the file are refused.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from limner.checkpoints.official.machine import Constructor, Machine
from limner.checkpoints.official.quota import Quota
from limner.checkpoints.official.records import Global, Storage
from limner.checkpoints.official.torch_legacy import parse_identity

MAGIC = b"PK\x03\x04"
"""What a zip begins with."""
ENTRY = b"PK\x01\x02"
"""What every entry in a zip's list of members begins with."""
MAX_MEMBERS = 20_000
"""Members of a zip. A training file of a 1024 px StyleGAN2 has some 1,500."""
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
"""Signature, 5 fields, checksum, two sizes, lengths of name and extra field: what stands before a member's bytes."""


def read_zip(path: Path, data: memoryview, quota: Quota, constructors: Mapping[Global, Constructor | None]) -> Any:
    """Return the object of a zip of torch.save.

    Args:
        path: the file.
        data: its bytes.
        quota: what may be spent.
        constructors: what its object may mention.

    Raises:
        CheckpointError: it is damaged, no file of torch, or asks for something outside the table.
    """
    members = _members(path, data, quota)
    pickles = [name for name in members if PurePosixPath(name).name == "data.pkl"]
    if len(pickles) != 1 or len(PurePosixPath(pickles[0]).parts) != 2:
        raise quota.refused(f"is a zip without the one data.pkl that torch.save writes ({len(pickles)} found)")
    folder = PurePosixPath(pickles[0]).parts[0]
    if bytes(members.get(f"{folder}/byteorder", memoryview(b"little"))) != b"little":
        raise quota.refused("was not written on a little-endian machine")
    storages: dict[str, Storage] = {}

    def load(machine: Machine, identity: Any) -> Storage:
        dtype, key, numel = parse_identity(identity, quota)
        content = members.get(f"{folder}/data/{key}")
        if content is None or len(content) != numel * dtype.itemsize:
            held = "no bytes" if content is None else f"{len(content):,} bytes"
            raise quota.damaged(f"a storage of {numel:,} numbers has {held}")
        return storages.setdefault(key, Storage(dtype, numel, content))

    return Machine(members[pickles[0]], quota, constructors, persistent_load=load).run()


def _members(path: Path, data: memoryview, quota: Quota) -> dict[str, memoryview]:
    """Return the bytes of every member by name, checked."""
    if sum(1 for _ in re.finditer(re.escape(ENTRY), data)) > MAX_MEMBERS:  # before zipfile makes an object of each
        raise quota.refused(f"is a zip of more than {MAX_MEMBERS:,} members, which torch.save does not write")
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise quota.damaged(f"its list of members cannot be read ({type(error).__name__})") from None
    if sum(info.file_size for info in listed) > len(data):
        raise quota.damaged("its members are declared longer than the file")
    members: dict[str, memoryview] = {}
    for info in listed:
        _check_name(info, quota)
        if info.filename in members:
            raise quota.refused("is a zip with two members of one name")
        members[info.filename] = _content(info, data, quota)
    return members


def _check_name(info: zipfile.ZipInfo, quota: Quota) -> None:
    name = PurePosixPath(info.orig_filename)
    if name.is_absolute() or ".." in name.parts or any(sign in info.orig_filename for sign in "\\:\0"):
        raise quota.refused("is a zip with a member outside of its folder")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise quota.refused("is a zip with a link in it")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
        raise quota.refused("is a zip with a compressed or encrypted member, which torch.save never writes")


def _content(info: zipfile.ZipInfo, data: memoryview, quota: Quota) -> memoryview:
    """Return the bytes of an uncompressed member, after checking that they lie in the file and are undamaged."""
    start = info.header_offset
    header = bytes(data[start : start + LOCAL_HEADER.size]) if start >= 0 else b""
    if len(header) < LOCAL_HEADER.size or header[:4] != MAGIC:
        raise quota.damaged("a member of the zip does not begin where its list says")
    name_length, extra_length = LOCAL_HEADER.unpack(header)[-2:]
    start += LOCAL_HEADER.size + name_length + extra_length
    content = data[start : start + info.file_size]
    if len(content) != info.file_size or info.compress_size != info.file_size:
        raise quota.damaged("a member of the zip is declared longer than the file")
    if zlib.crc32(content) != info.CRC:
        raise quota.damaged("a member of the zip has another checksum than its list says")
    return content
