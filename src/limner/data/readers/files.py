"""What folders and zips have in common: names, label files, encoded pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import PurePosixPath

from PIL import Image

from limner.data import decode
from limner.data.base import Source
from limner.data.readers import labels as label_files
from limner.errors import DataError

_COMPRESSED = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".gif")
_PLAIN = (".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")
PICTURE_SUFFIXES = frozenset((*_COMPRESSED, *_PLAIN))
"""File name endings, lower case, that are taken for pictures."""


class FileSource(Source):
    """Encoded pictures in a folder or an archive, with the labels found beside them."""

    def __init__(self, path: str, names: Iterable[str], labels: str | None) -> None:
        self.path = path
        files = sorted(name for name in names if not _is_junk(name))
        self.names = tuple(name for name in files if is_picture_name(name))
        others = [name for name in files if not is_picture_name(name)]
        if not self.names:
            beside = f"{len(others)} other files, such as '{others[0]}'" if others else "no files at all"
            raise DataError(
                f"no pictures in {path}: got {beside}, expected files ending in .png, .jpg, .webp, ...; check the path"
            )
        if labels is not None:
            self.labels = label_files.read_label_file(labels, self.names)
        else:
            self.labels, used = label_files.find_labels(self.names, others, self.text, path)
            others = [name for name in others if name != used]
        self.others = tuple(others)

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the whole content of a file."""

    @abstractmethod
    def head(self, name: str, size: int) -> bytes:
        """Return at least the first `size` bytes of a file, or all of a shorter one."""

    def text(self, name: str) -> str:
        """Return a text file's content.

        Raises:
            DataError: it is not UTF-8.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError(f"'{name}' of {self.path} is not UTF-8 text; save it as UTF-8") from None

    def picture(self, index: int) -> Image.Image:
        return decode.decode(self.read(self.names[index]))

    def header(self, index: int) -> decode.Header:
        name = self.names[index]
        if name.lower().endswith((".png", ".webp")):
            quick = decode.quick_header(self.head(name, 32))
            if quick is not None:
                return quick
        start = self.head(name, decode.HEAD_BYTES)
        try:
            return decode.read_header(start)
        except decode.PictureError:
            if len(start) < decode.HEAD_BYTES:
                raise
            return decode.read_header(self.read(name))


def is_picture_name(name: str) -> bool:
    """Return whether the ending of `name` is that of a picture."""
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def _is_junk(name: str) -> bool:
    """Return whether `name` is hidden or one of the files that macOS and Windows scatter."""
    parts = PurePosixPath(name).parts
    return parts[-1] in ("Thumbs.db", "desktop.ini") or any(p.startswith(".") or p == "__MACOSX" for p in parts)
