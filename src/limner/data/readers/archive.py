"""A zip of pictures, read by position so that many threads can read at once.

Python's `zipfile` serves one reader at a time and pays about 0.1 ms a file for it; here the central directory is read
once and each file is then one positioned read, checked against its CRC-32.
Format: PKWARE APPNOTE.TXT, sections 4.3.7 and 4.3.12.
"""

from __future__ import annotations

import os
import struct
import threading
import weakref
import zipfile
import zlib
from pathlib import Path

from limner.data.decode import PictureError
from limner.data.readers.files import FileSource
from limner.errors import DataError

MAX_FILE_BYTES = 1 << 30
"""A file that claims to be larger than this when unpacked is refused."""

MAX_RATIO = 200
"""A file of more than 16 MB that unpacks to more than this many times its packed size is refused."""

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")


class ZipSource(FileSource):
    """Pictures in a zip: stored or deflated, with or without NVIDIA's `dataset.json`."""

    form = "zip"

    def __init__(self, path: Path, labels: str | None = None) -> None:
        self.size_bytes = path.stat().st_size
        self._entries = _read_directory(path, self.size_bytes)
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._closed = weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()
        super().__init__(str(path), self._entries, labels)

    def read(self, name: str) -> bytes:
        entry = self._entries[name]
        packed = self._packed(entry, entry.compress_size)
        data = packed
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            data = _inflate(packed, entry.file_size + 1, name)
        if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
            raise PictureError("broken picture", f"{name}: the checksum in the zip does not match")
        return data

    def head(self, name: str, size: int) -> bytes:
        entry = self._entries[name]
        if entry.compress_type == zipfile.ZIP_STORED:
            return self._packed(entry, min(entry.compress_size, size))
        overhead = 512 + size // 64  # code tables and block headers of data that hardly shrink
        return _inflate(self._packed(entry, min(entry.compress_size, size + overhead)), size, name)

    def stamps(self) -> list[str]:
        return [f"{self._entries[name].file_size}-{self._entries[name].CRC:08x}" for name in self.names]

    def close(self) -> None:
        self._closed()

    def _packed(self, entry: zipfile.ZipInfo, size: int) -> bytes:
        """Return the first `size` bytes of the entry's packed data."""
        guess = _LOCAL_HEADER.size + len(entry.filename.encode()) + len(entry.extra) + 64
        block = self._read_at(entry.header_offset, guess + size)
        if len(block) < _LOCAL_HEADER.size or block[:4] != b"PK\x03\x04":
            raise PictureError("broken picture", f"{entry.filename}: the zip is damaged here")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack_from(block)
        start = _LOCAL_HEADER.size + name_length + extra_length
        if len(block) < start + size:
            block = self._read_at(entry.header_offset, start + size)
        return block[start : start + size]

    def _read_at(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file, size, offset)
        with self._lock:
            os.lseek(self._file, offset, os.SEEK_SET)
            return os.read(self._file, size)


def _read_directory(path: Path, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return name -> entry for the files of a zip, refusing what no picture archive holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise DataError(
            f"cannot read {path} as a zip: {error}; it may be truncated, so copy or download it again"
        ) from None
    for entry in entries:
        _check_entry(entry, path)
    if sum(entry.compress_size for entry in entries) > size:
        raise DataError(
            f"{path} is refused: its files overlap (together larger than the zip), as in a compression bomb; "
            "unpack it with a tool you trust and give the folder"
        )
    return {entry.filename.replace("\\", "/"): entry for entry in entries}


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        raise DataError(
            f"{path} is refused: it holds the unsafe name '{entry.filename}'; zip the pictures again by relative names"
        )
    if entry.flag_bits & 1:
        raise DataError(
            f"{path} is encrypted ('{entry.filename}'), expected a plain zip; unpack it and give the folder"
        )
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"'{entry.filename}' of {path} is packed by method {entry.compress_type}, expected stored or deflated; "
            "unpack it and give the folder"
        )
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > MAX_FILE_BYTES or (entry.file_size > 1 << 24 and ratio > MAX_RATIO):
        raise DataError(
            f"{path} is refused: '{entry.filename}' claims to unpack to {entry.file_size:,} bytes from "
            f"{entry.compress_size:,}, as in a compression bomb; unpack it with a tool you trust and give the folder"
        )


def _inflate(packed: bytes, size: int, name: str) -> bytes:
    """Return at most `size` bytes of raw deflate data."""
    try:
        return zlib.decompressobj(-15).decompress(packed, size)
    except zlib.error as error:
        raise PictureError("broken picture", f"{name}: {error}") from None
