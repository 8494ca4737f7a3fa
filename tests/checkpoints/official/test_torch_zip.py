"""Archives that try to leave their folder, or whose numbers are false."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from checkpoints.official.canary import canary, refuse
from checkpoints.official.opcodes import (
    PICKLE_OF_CODE,
    identity,
    tensor,
    text,
)
from limner.checkpoints.official.reader import read
from limner.errors import CheckpointError


def write_archive(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, content in members:
            archive.writestr(member, content)
        return archive.infolist()[-1]


GOOD_PICKLE = b"\x80\x02" + tensor(identity()) + b"."
GOOD = (("x/data.pkl", GOOD_PICKLE), ("x/data/0", struct.pack("<2f", 3, 4)))
ARCHIVES: dict[str, tuple[tuple[str, bytes], ...]] = {
    "a name that leaves the folder": (*GOOD, ("x/../../canary", b"")),
    "an absolute name": (*GOOD, ("/tmp/canary", b"")),
    "a name of another system": (*GOOD, ("C:canary", b"")),
    "a name with backslashes": (*GOOD, ("x\\..\\canary", b"")),
    "no pickle": GOOD[1:],
    "a pickle at the top": (("data.pkl", GOOD_PICKLE), GOOD[1]),
    "two pickles": (*GOOD, ("y/data.pkl", GOOD_PICKLE)),
    "code": (("x/data.pkl", PICKLE_OF_CODE), GOOD[1]),
    "no storage": GOOD[:1],
    "a short storage": (GOOD[0], ("x/data/0", b"1234567")),
    "a long storage": (GOOD[0], ("x/data/0", bytes(12))),
    "a storage of another folder": (("x/data.pkl", GOOD_PICKLE.replace(text("0"), text("../../y"))), GOOD[1]),
    "big-endian numbers": (*GOOD, ("x/byteorder", b"big")),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_is_checked_member_by_member(tmp_path: Path, what: str) -> None:
    write_archive(tmp_path / "made.zip", *ARCHIVES[what])
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes())


def test_the_archive_that_the_others_are_made_from_is_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.pt", *GOOD)
    assert read(tmp_path / "x.pt")[0].tensor().tolist() == [3, 4]


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "inner.pt", *GOOD)
    write_archive(tmp_path / "made.zip", ("x/inner.pt", (tmp_path / "inner.pt").read_bytes()))
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "without the one data.pkl")


def test_a_compressed_member_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD, ("x/bomb", bytes(2**24)), compression=zipfile.ZIP_DEFLATED)
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "compressed")


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        for member, content in GOOD[:1]:
            archive.writestr(member, content)
        link = zipfile.ZipInfo("x/data/0")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"/etc/passwd")
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "a link in it")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD, GOOD[1])
    refuse(tmp_path / "x.pt", (tmp_path / "made.zip").read_bytes(), "two members of one name")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        (16, 0xDEADBEEF, "checksum"),
        (24, 2**31 - 1, "declared longer"),
        (42, 2**30, "begin"),
        (20, 5, "declared longer"),
    ],
)
def test_the_numbers_of_an_archive_s_list_are_checked(tmp_path: Path, field: int, value: int, match: str) -> None:
    """Offsets in the last entry of the central directory: checksum, size, place, compressed size."""
    write_archive(tmp_path / "made.zip", *GOOD)
    content = bytearray((tmp_path / "made.zip").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + field : entry + field + 4] = struct.pack("<I", value)
    refuse(tmp_path / "x.pt", bytes(content), match)


def test_a_list_of_a_million_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD)
    content = (tmp_path / "made.zip").read_bytes()
    entry = content.rindex(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    listed = content[:entry] + content[entry:end] * 300_000 + content[end:]
    refuse(tmp_path / "x.pt", listed, "more than 20,000 members")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "made.zip", *GOOD)
    content = bytearray((tmp_path / "made.zip").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    refuse(tmp_path / "x.pt", bytes(content), "encrypted")


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"hello", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08\x00", bytes(100)]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    refuse(tmp_path / "x.pkl", content)


def test_a_folder_a_missing_file_and_a_device_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pkl", Path("/dev/zero")):
        with canary(), pytest.raises(CheckpointError, match="is not a file"):
            read(path)
