"""The older format of torch.save, with a false number in every place."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import pytest

from checkpoints.official.canary import refuse
from checkpoints.official.opcodes import (
    ORDERED,
    PICKLE_OF_CODE,
    identity,
    legacy_file,
    tensor,
    text,
)
from limner.checkpoints.official.reader import read
from limner.checkpoints.official.torch_legacy import MAGIC_PICKLE

LEGACY = {
    "a shape of 2^40 numbers": legacy_file(tensor(identity(), shape=b"\x8a\x06\0\0\0\0\0\x01\x85"), data=bytes(8)),
    "a shape repeated by stride 0": legacy_file(
        tensor(identity(), shape=b"J\xff\xff\xff\x7f\x85", strides=b"K\x00\x85"), data=bytes(8)
    ),
    "a negative shape": legacy_file(tensor(identity(), shape=b"J\xff\xff\xff\xff\x85"), data=bytes(8)),
    "a negative stride": legacy_file(tensor(identity(), strides=b"J\xff\xff\xff\xff\x85"), data=bytes(8)),
    "a negative offset": legacy_file(tensor(identity(), offset=b"J\xff\xff\xff\xff"), data=bytes(8)),
    "an offset after the end": legacy_file(tensor(identity(), offset=b"K\x01"), data=bytes(8)),
    "more sides than strides": legacy_file(tensor(identity(), shape=b"K\x01K\x02\x86"), data=bytes(8)),
    "a storage of negative size": legacy_file(tensor(identity(b"J\xff\xff\xff\xff")), data=bytes(8)),
    "a storage of 2^62 numbers": legacy_file(tensor(identity(b"\x8a\x08" + b"\x00" * 7 + b"\x40")), data=bytes(8)),
    "a storage declared twice": legacy_file(
        b"(" + tensor(identity()) + tensor(identity(b"K\x03")) + b"l", data=bytes(8)
    ),
    "a storage of another count": legacy_file(tensor(identity()), data=bytes(8), count=3),
    "a storage that ends early": legacy_file(tensor(identity()), data=bytes(7)),
    "a storage of an unknown type": legacy_file(tensor(identity(kind=ORDERED)), data=bytes(8)),
    "a storage of a type that is text": legacy_file(tensor(identity(kind=text("FloatStorage"))), data=bytes(8)),
    "a storage with a number as key": legacy_file(tensor(identity(key=b"K\x00")), data=bytes(8)),
    "an unlisted storage": legacy_file(tensor(identity()), keys=b"(l", data=bytes(8)),
    "a listed storage that is not used": legacy_file(b"N", data=bytes(8)),
    "keys that are no list": legacy_file(tensor(identity()), keys=b"N", data=bytes(8)),
    "keys that are numbers": legacy_file(tensor(identity()), keys=b"(X\x01\x00\x00\x000K\x00l", data=bytes(8)),
    "an identity that is a text": legacy_file(text("storage") + b"Q", data=bytes(8)),
    "an identity of a module": legacy_file(b"(" + text("module") + b"K\x01K\x02K\x03K\x04tQ", data=bytes(8)),
    "a part of a storage": legacy_file(tensor(identity()[:-3] + b"(K\x01tt" + b"Q"), data=bytes(8)),
    "a big-endian machine": MAGIC_PICKLE + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": False}, 2) + b"N.",
    "protocol 1000": MAGIC_PICKLE + pickle.dumps(1000, 2),
    "code in place of the protocol": MAGIC_PICKLE + PICKLE_OF_CODE,
    "code in place of the machine's facts": MAGIC_PICKLE + pickle.dumps(1001, 2) + PICKLE_OF_CODE,
    "code in place of the keys": legacy_file(tensor(identity()), keys=PICKLE_OF_CODE[2:-1], data=bytes(8)),
    "a class in place of the keys": legacy_file(tensor(identity()), keys=ORDERED, data=bytes(8)),
}


@pytest.mark.parametrize("what", LEGACY)
def test_a_legacy_file_of_torch_is_checked_in_every_number(tmp_path: Path, what: str) -> None:
    refuse(tmp_path / "x.pt", LEGACY[what])


def test_the_legacy_file_that_the_damaged_ones_are_made_from_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(legacy_file(tensor(identity()), data=struct.pack("<2f", 1.5, -2)))
    assert read(tmp_path / "x.pt")[0].tensor().tolist() == [1.5, -2]
