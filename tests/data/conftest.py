"""Small folders and zips of pictures that the tests of this folder read."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def pixels(seed: int, height: int = 16, width: int = 16, channels: int = 3) -> np.ndarray:
    """Random uint8 [C, H, W]."""
    return np.random.RandomState(seed).randint(0, 256, (channels, height, width)).astype(np.uint8)


def picture(seed: int, height: int = 16, width: int = 16, mode: str = "RGB") -> Image.Image:
    """A random picture."""
    rgb = Image.fromarray(np.ascontiguousarray(pixels(seed, height, width).transpose(1, 2, 0)))
    return rgb.convert(mode)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size its data do not have."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + encoded(picture(0))[33:]


class Pictures:
    """Writes folders and zips below a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, files: Mapping[str, bytes | Image.Image | str], name: str = "photos") -> Path:
        """Write files by name; pictures are encoded by their ending."""
        for path, content in files.items():
            target = self.root / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_bytes(path, content))
        return self.root / name

    def zip(
        self,
        files: Mapping[str, bytes | Image.Image | str],
        name: str = "photos.zip",
        compression: int = zipfile.ZIP_STORED,
    ) -> Path:
        """Write a zip of files by name."""
        with zipfile.ZipFile(self.root / name, "w", compression) as archive:
            for path, content in files.items():
                archive.writestr(path, _bytes(path, content))
        return self.root / name

    def nvidia(self, count: int = 6, labels: Any = None, size: tuple[int, int] = (16, 16)) -> dict[str, Any]:
        """The files of a data set in NVIDIA's layout; `labels` is a list with one entry a picture, or None."""
        names = [f"00000/img{i:08d}.png" for i in range(count)]
        files: dict[str, Any] = {name: picture(i, *size) for i, name in enumerate(names)}
        rows = None if labels is None else [[name, label] for name, label in zip(names, labels, strict=True)]
        files["dataset.json"] = json.dumps({"labels": rows})
        return files


def _bytes(path: str, content: bytes | Image.Image | str) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    form = {".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}.get(Path(path).suffix, "PNG")
    return encoded(content, form)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Writer of picture folders and zips."""
    return Pictures(tmp_path)
