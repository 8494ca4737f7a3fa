"""Pictures that lie in one array, as the CIFAR-10 and MNIST files hold them."""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image

from limner.data import decode
from limner.data.base import Labels, Source


class ArraySource(Source):
    """Pictures of one array.

    Args:
        path: where they came from.
        form: what that is, in words.
        pixels: uint8 [N, C, H, W] with 1 to 4 channels.
        labels: their labels, or None.
        size_bytes: size on disk.
    """

    def __init__(self, path: str, form: str, pixels: np.ndarray, labels: Labels | None, size_bytes: int = 0) -> None:
        self.path = path
        self.form = form
        self.names = tuple(f"{index:08d}" for index in range(len(pixels)))
        self.labels = labels
        self.size_bytes = size_bytes
        self._pixels = pixels

    def picture(self, index: int) -> Image.Image:
        return decode.to_picture(self._pixels[index])

    def header(self, index: int) -> decode.Header:
        _, channels, height, width = self._pixels.shape
        return decode.Header(height=height, width=width, channels=channels)

    def stamps(self) -> list[str]:
        return [f"{zlib.crc32(picture.tobytes()):08x}" for picture in self._pixels]
