"""Fitting a picture to a resolution (crop and resize) and encoding it as PNG."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image

from limner.config import Resolution
from limner.data import decode

Filter = Literal["box", "bilinear", "hamming", "bicubic", "lanczos"]
Crop = Literal["centre", "none", "letterbox"]

FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Name -> Pillow's filter; all of them widen with the scale, so none aliases when shrinking."""

CROPS = ("centre", "none", "letterbox")
"""Keep the largest centred part of the right aspect; stretch; or keep everything and fill the rest."""


def fit(picture: Image.Image, resolution: Resolution, crop: Crop, resample: Filter) -> Image.Image:
    """Return `picture` at `resolution` (height, width).

    Args:
        picture: any mode that Pillow resizes; alpha is premultiplied while resizing.
        resolution: (height, width), pixels.
        crop: `centre` cuts off what does not fit the aspect, `none` stretches, `letterbox` fills with black
            (transparent where there is alpha).
        resample: filter.
    """
    height, width = resolution
    if picture.size == (width, height):
        return picture
    if crop == "letterbox":
        scale = min(width / picture.width, height / picture.height)
        inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = Image.new(picture.mode, (width, height))
        canvas.paste(picture.resize(inner, FILTERS[resample]), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return canvas
    box = centre_box(picture.size, resolution) if crop == "centre" else None
    return picture.resize((width, height), FILTERS[resample], box)


def centre_box(size: tuple[int, int], resolution: Resolution) -> tuple[float, float, float, float]:
    """Return the largest centred box (left, upper, right, lower) of `size` (w, h) with the aspect of `resolution`."""
    height, width = resolution
    scale = min(size[0] / width, size[1] / height)
    left, upper = max(0.0, (size[0] - width * scale) / 2), max(0.0, (size[1] - height * scale) / 2)
    return left, upper, min(left + width * scale, size[0]), min(upper + height * scale, size[1])


def is_enlarged(size: tuple[int, int], resolution: Resolution, crop: Crop) -> bool:
    """Return whether fitting a picture of `size` (w, h) to `resolution` makes any side of it larger."""
    height, width = resolution
    ratios = (width / size[0], height / size[1])
    scale = {"centre": max(ratios), "none": max(ratios), "letterbox": min(ratios)}[crop]
    return scale > 1


def encode_png(picture: Image.Image) -> bytes:
    """Return an 8-bit picture as an uncompressed PNG without metadata."""
    picture.info = {}
    encoded = io.BytesIO()
    picture.save(encoded, "PNG", compress_level=0)
    return encoded.getvalue()


def fit_deep(picture: Image.Image, resolution: Resolution, crop: Crop, resample: Filter) -> Image.Image:
    """Return `picture` at `resolution` as a 16-bit grey picture; 8-bit values are scaled by 257.

    Raises:
        PictureError: values that 16 bits cannot stand for (see `decode.deep_grey`).
    """
    if decode.is_deep(picture):
        values = decode.deep_grey(picture)
    else:
        values = np.asarray(decode.to_channels(picture, 1)).astype(np.float32) * 257.0
    fitted = np.asarray(fit(Image.fromarray(values), resolution, crop, resample))
    return Image.fromarray(np.clip(np.rint(fitted), 0, 65535).astype(np.uint16))
