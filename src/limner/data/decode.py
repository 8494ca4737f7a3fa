"""From encoded bytes to upright, fully decoded pictures and to pixel arrays.

A picture is decoded completely before it counts as readable: `PIL.Image.verify` accepts a half-truncated JPEG.

Deviations from Pillow's defaults, on purpose:
- 16-bit greys become 8 bits by rounding v / 257 (Pillow's own conversion drops the low byte or clips).
- transparency is composited on white when a picture without alpha is asked for (Pillow drops the alpha).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from limner.errors import DataError

MAX_PIXELS = 178_956_970 // 2
"""Pictures with more pixels are refused before they are decoded: Pillow's own threshold for a decompression bomb."""

HEAD_BYTES = 65536
"""Enough of most files to find size and colour type."""

TURNED = "limner_turned"
"""Key of a decoded picture's `info`: whether its EXIF orientation turned or mirrored it."""

_ORIENTATION = 0x0112
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, OverflowError),
    RuntimeError,  # the AVIF decoder
)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_EXIF_KEYS = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}


class PictureError(DataError):
    """One picture cannot be used; `reason` is the short category that summaries count."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is known of a picture without decoding it."""

    height: int
    """Pixels, after EXIF rotation."""
    width: int
    """Pixels, after EXIF rotation."""
    channels: int
    """1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha."""
    bits: int = 8
    """Bits a channel: 8 or 16."""


def read_header(data: bytes) -> Header:
    """Return size and kind of the encoded picture that starts with `data`.

    Raises:
        PictureError: the start of the data is not that of a picture, or it has too many pixels.
    """
    if not data:
        raise PictureError("empty file")
    if is_plain_png(data):
        width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
        _check_pixels(width, height)
        return Header(height=height, width=width, channels=_PNG_CHANNELS[kind], bits=16 if bits == 16 else 8)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            _check_pixels(width, height)
            if picture.format != "PNG" and picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
            bits = 16 if picture.mode.startswith(("I", "F")) else 8
            return Header(height=height, width=width, channels=natural_channels(picture), bits=bits)
    except _BOMBS as error:
        raise PictureError("too many pixels", str(error)) from None
    except _DECODE_ERRORS as error:
        raise _unreadable(error) from None


def is_plain_png(data: bytes) -> bool:
    """Return whether `data` starts as a PNG whose first 26 bytes say everything (no palette)."""
    return len(data) >= 26 and data[:8] == _PNG_SIGNATURE and data[12:16] == b"IHDR" and data[25] in _PNG_CHANNELS


def decode(data: bytes) -> Image.Image:
    """Decode the first frame of a picture completely and turn it upright by its EXIF orientation.

    Raises:
        PictureError: empty, broken or truncated data, or too many pixels.
    """
    if not data:
        raise PictureError("empty file")
    try:
        picture = Image.open(io.BytesIO(data))
        _check_pixels(*picture.size)
        picture.load()
        if _EXIF_KEYS & picture.info.keys() or picture.format in ("TIFF", "MPO"):
            turned = picture.getexif().get(_ORIENTATION, 1) in range(2, 9)
            ImageOps.exif_transpose(picture, in_place=True)
            picture.info[TURNED] = turned
        return picture
    except _BOMBS as error:
        raise PictureError("too many pixels", str(error)) from None
    except _DECODE_ERRORS as error:
        raise _unreadable(error) from None


def natural_channels(picture: Image.Image) -> int:
    """Return how many channels `picture` carries: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha."""
    grey = picture.mode in _GREY_MODES or picture.mode.startswith("I;16")
    return (1 if grey else 3) + int(has_alpha(picture))


def has_alpha(picture: Image.Image) -> bool:
    """Return whether `picture` has an alpha channel or a transparent colour."""
    return picture.mode in _ALPHA_MODES or "transparency" in picture.info


def is_deep(picture: Image.Image) -> bool:
    """Return whether `picture` holds more than 8 bits a channel."""
    return picture.mode.startswith(("I", "F"))


def to_channels(picture: Image.Image, channels: int) -> Image.Image:
    """Convert to an 8-bit picture of 1 (L), 2 (LA), 3 (RGB) or 4 (RGBA) channels.

    Colour becomes grey by ITU-R 601 luma; transparency is composited on white when `channels` is 1 or 3.

    Raises:
        PictureError: integer or float values that 8 bits cannot stand for (see `deep_grey`).
    """
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    if picture.mode == mode and "transparency" not in picture.info:
        return picture
    if is_deep(picture):
        picture = Image.fromarray(np.rint(deep_grey(picture) / 257.0).astype(np.uint8))
    if has_alpha(picture):
        picture = picture.convert("RGBA")
        if channels in (1, 3):
            white = Image.new("RGBA", picture.size, "white")
            white.alpha_composite(picture)
            picture = white.convert("RGB")
    return picture.convert(mode)


def deep_grey(picture: Image.Image) -> np.ndarray:
    """Return the values of a 16-bit, 32-bit or float grey picture as float32 [H, W] in [0, 65535].

    Float pictures must lie in [0, 1] and are scaled by 65535.

    Raises:
        PictureError: NaN or infinity, or values outside the range.
    """
    values = np.asarray(picture).astype(np.float32)
    if not np.isfinite(values).all():
        raise PictureError("not finite", "the picture holds NaN or infinity")
    low, high, top = float(values.min()), float(values.max()), 1.0 if picture.mode == "F" else 65535.0
    if low < 0 or high > top:
        raise PictureError("values out of range", f"got {low:g} to {high:g}, expected 0 to {top:g}")
    return values * (65535.0 / top)


def to_array(picture: Image.Image) -> np.ndarray:
    """Return the pixels of an 8-bit picture as uint8 [C, H, W]."""
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        return pixels[None]  # [1, H, W]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # [C, H, W]


def to_picture(pixels: np.ndarray) -> Image.Image:
    """Return uint8 pixels [C, H, W] with 1 to 4 channels as a picture of mode L, LA, RGB or RGBA."""
    if pixels.shape[0] == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError("too many pixels", f"{width}x{height} is more than {MAX_PIXELS} pixels")


def _unreadable(error: Exception) -> PictureError:
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "cannot identify image file" in detail:
        detail = "not the data of a known picture format"
    return PictureError("broken picture", detail)
