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

    The size is that of the upright picture, except for PNG, whose rare EXIF data may lie behind the pixels.

    Raises:
        PictureError: the start of the data is not that of a picture, or it has too many pixels.
    """
    if not data:
        raise PictureError("empty file")
    quick = quick_header(data)
    if quick is not None:
        return quick
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            _check_pixels(width, height)
            if picture.format not in ("PNG", "TIFF") and _orientation(picture) >= 5:
                width, height = height, width
            bits = 16 if picture.mode.startswith(("I", "F")) else 8
            return Header(height=height, width=width, channels=natural_channels(picture), bits=bits)
    except _BOMBS as error:
        raise PictureError("too many pixels", str(error)) from None
    except _DECODE_ERRORS as error:
        raise _unreadable(error) from None


def quick_header(data: bytes) -> Header | None:
    """Return the header of a PNG without palette or of a plain WebP from its first 32 bytes; None for other data.

    Formats: PNG specification, 11.2.1 (IHDR); RFC 9649, 2.5 and 2.6 (VP8, VP8L); RFC 6386, 9.1 (VP8 frame header).

    Raises:
        PictureError: too many pixels.
    """
    if len(data) < 32:
        return None
    bits, channels = 8, 3
    if data[:8] == _PNG_SIGNATURE and data[12:16] == b"IHDR" and data[25] in _PNG_CHANNELS:
        width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
        bits, channels = 16 if depth == 16 else 8, _PNG_CHANNELS[kind]
    elif data[8:16] == b"WEBPVP8L" and data[20] == 0x2F:
        packed = int.from_bytes(data[21:25], "little")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        channels = 4 if packed >> 28 & 1 else 3
    elif data[8:16] == b"WEBPVP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
    else:
        return None
    _check_pixels(width, height)
    return Header(height=height, width=width, channels=channels, bits=bits)


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
        turned = picture.format == "TIFF" and _orientation(picture) != 1  # Pillow turns these while it loads
        picture.load()
        if _orientation(picture) != 1:
            ImageOps.exif_transpose(picture, in_place=True)
            turned = True
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


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) when there is none or when the metadata cannot be read."""
    if not _EXIF_KEYS & picture.info.keys() and picture.format not in ("TIFF", "MPO"):
        return 1
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except _DECODE_ERRORS:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError("too many pixels", f"{width}x{height} is more than {MAX_PIXELS} pixels")


def _unreadable(error: Exception) -> PictureError:
    detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "cannot identify image file" in detail:
        detail = "not the data of a known picture format"
    return PictureError("broken picture", detail)
