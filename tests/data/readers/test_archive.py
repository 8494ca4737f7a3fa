"""Zips: read correctly from many threads, and refused when they are unsafe or damaged."""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from limner.data.decode import PictureError
from limner.data.readers import archive, open_source
from limner.data.readers.archive import ZipSource
from limner.errors import DataError

from ..conftest import Pictures, encoded, picture


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_are_read_whole_and_in_part_as_zipfile_reads_them(pictures: Pictures, compression):
    files = {f"{i:03d}.png": encoded(picture(i, 40, 40)) for i in range(5)}
    source = ZipSource(pictures.zip(files, compression=compression))
    for name, data in files.items():
        assert source.read(name) == data
        assert source.head(name, 64) == data[:64]
        assert source.head(name, 10**6) == data
    source.close()


def test_unicode_and_backslash_names_are_read(pictures: Pictures):
    names = ["фото/кот.png", "写真/猫.png", "a b/ünïcödé.png"]
    source = open_source(pictures.zip({name: picture(i) for i, name in enumerate(names)} | {"x\\y.png": picture(9)}))
    assert set(source.names) == {*names, "x/y.png"}
    assert all(source.picture(i).size == (16, 16) for i in range(4))


@pytest.mark.parametrize("locked", [False, True])
def test_many_threads_read_the_same_zip_at_once(pictures: Pictures, monkeypatch, locked):
    if locked:  # as on systems without positioned reads
        monkeypatch.delattr(os, "pread", raising=False)
    files = {f"{i:03d}.png": encoded(picture(i, 8 + i, 9)) for i in range(30)}
    source = ZipSource(pictures.zip(files))
    barrier = threading.Barrier(8)

    def read_all(seed: int) -> bool:
        barrier.wait(10)
        names = sorted(files, key=lambda name: zlib.crc32(f"{seed}{name}".encode()))
        return all(source.read(name) == files[name] for name in names * 5)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_all, range(8)))


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png"])
def test_unsafe_names_refuse_the_whole_zip(pictures: Pictures, name):
    with pytest.raises(DataError, match="refused: it holds the unsafe name"):
        open_source(pictures.zip({"good.png": picture(0), name: picture(1)}))


def test_a_file_that_unpacks_to_far_more_than_it_takes_is_refused(pictures: Pictures):
    path = pictures.zip({"a.png": picture(0), "bomb.png": bytes(32 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"'bomb\.png' claims to unpack to 33,554,432 bytes .* compression bomb"):
        open_source(path)


def test_a_file_that_claims_an_enormous_size_is_refused(pictures: Pictures, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 500)
    with pytest.raises(DataError, match="compression bomb"):
        open_source(pictures.zip({"a.png": picture(0)}))


def patched(path: Path, find: bytes, offset: int, value: bytes, occurrence: int = 0) -> Path:
    """Overwrite bytes at `offset` from the n-th occurrence of `find`."""
    data, place = bytearray(path.read_bytes()), -1
    for _ in range(occurrence + 1):
        place = data.index(find, place + 1)
    data[place + offset : place + offset + len(value)] = value
    path.write_bytes(data)
    return path


def test_overlapping_files_are_refused(pictures: Pictures):
    path = pictures.zip({f"{i}.png": encoded(picture(i, 64, 64)) for i in range(4)})
    size = path.stat().st_size
    for i in range(4):  # compressed and plain size in the central directory
        patched(path, b"PK\x01\x02", 20, struct.pack("<II", size // 2, size // 2), i)
    with pytest.raises(DataError, match="overlap"):
        open_source(path)


def test_a_file_that_lies_about_its_size_is_not_unpacked_beyond_it(pictures: Pictures):
    path = pictures.zip({"a.png": bytes(8 << 20)}, compression=zipfile.ZIP_DEFLATED)
    patched(path, b"PK\x01\x02", 24, struct.pack("<I", 1000))
    source = ZipSource(path)
    with pytest.raises(PictureError, match="checksum"):
        source.read("a.png")


def test_a_changed_byte_is_found_by_its_checksum(pictures: Pictures):
    path = pictures.zip({"a.png": encoded(picture(0, 64, 64)), "b.png": picture(1)})
    patched(path, b"IDAT", 40, b"\xff\xfe\xfd")
    with pytest.raises(PictureError, match="checksum"):
        open_source(path).picture(0)


def test_a_damaged_local_header_is_found(pictures: Pictures):
    path = patched(pictures.zip({"a.png": picture(0)}), b"PK\x03\x04", 0, b"XX")
    with pytest.raises(PictureError, match="the zip is damaged here"):
        open_source(path).picture(0)


def test_a_truncated_zip_is_refused(pictures: Pictures):
    path = pictures.zip({"a.png": picture(0, 64, 64)})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"cannot read .*photos\.zip as a zip.*truncated"):
        open_source(path)


def test_encrypted_and_unusual_zips_are_refused(pictures: Pictures):
    path = patched(pictures.zip({"a.png": picture(0)}), b"PK\x01\x02", 8, b"\x01\x00")
    with pytest.raises(DataError, match="encrypted"):
        open_source(path)
    with pytest.raises(DataError, match="packed by method 14, expected stored or deflated"):
        open_source(pictures.zip({"a.png": picture(0)}, "lzma.zip", zipfile.ZIP_LZMA))
