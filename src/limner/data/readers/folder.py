"""A folder of pictures, searched to any depth."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from limner.data.decode import PictureError
from limner.data.readers.files import FileSource


class FolderSource(FileSource):
    """Pictures in a folder; sub-folders may be classes (see `limner.data.readers.labels`)."""

    form = "folder"

    def __init__(self, path: Path, labels: str | None = None) -> None:
        self._paths: dict[str, Path] = {}
        for folder, _, files in os.walk(path):
            for file in files:
                full = Path(folder, file)
                if full.is_file():
                    self._paths[_printable(full.relative_to(path).as_posix())] = full
        self._sizes = {name: full.stat().st_size for name, full in self._paths.items()}
        self.size_bytes = sum(self._sizes.values())
        super().__init__(str(path), self._sizes, labels)

    def read(self, name: str) -> bytes:
        return self.head(name, -1)

    def head(self, name: str, size: int) -> bytes:
        try:
            with open(self._paths[name], "rb", buffering=0) as file:
                return file.read(size)
        except OSError as error:
            raise PictureError("cannot be opened", f"{name}: {error.strerror}") from None

    def stamps(self) -> list[str]:
        return [f"{self._sizes[name]}-{zlib.crc32(self.head(name, 65536)):08x}" for name in self.names]


def _printable(name: str) -> str:
    """Return `name` with bytes that are not UTF-8 written out, as in ``caf\\xe9.png``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
