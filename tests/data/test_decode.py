"""Decoding, kinds of pictures, and what is refused."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from limner.data import decode
from limner.data.decode import PictureError

from .conftest import encoded, picture, pixels, png_claiming

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", *(["AVIF"] if features.check("avif") else [])]


@functools.cache
def undamaged(form: str) -> bytes:
    """A small picture file of a format."""
    return encoded(picture(3, 24, 20), form)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_refused_even_when_verify_would_pass_it(form, kept):
    data = encoded(picture(1, 64, 64), form)
    with pytest.raises(PictureError, match="broken picture") as caught:
        decode.decode(data[: int(len(data) * kept)])
    assert caught.value.reason == "broken picture"


def test_empty_and_foreign_data_are_refused_with_their_reasons():
    for read in (decode.decode, decode.read_header):
        with pytest.raises(PictureError, match="empty file"):
            read(b"")
        with pytest.raises(PictureError, match="not the data of a known picture format"):
            read(b"hello, I am a text file that ends in .png")


@pytest.mark.parametrize("size", [(12_000, 9_000), (60_000, 60_000)])
def test_a_picture_that_claims_too_many_pixels_is_refused_before_decoding(size):
    for read in (decode.decode, decode.read_header):
        with pytest.raises(PictureError, match="too many pixels"):
            read(png_claiming(*size))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged EXIF data and reads on
@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 10_000), st.binary(min_size=1, max_size=6))
def test_damaged_bytes_give_a_picture_or_a_picture_error_and_nothing_else(form, place, damage):
    data = bytearray(undamaged(form))
    place %= len(data)
    data[place : place + len(damage)] = damage
    for read in (decode.decode, decode.read_header):
        with contextlib.suppress(PictureError):
            assert min(getattr(read(bytes(data)), side) for side in ("height", "width")) >= 1


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured_by_decoding_and_by_the_header(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.new("RGB", (40, 24), "black")
    upright.paste("white", (0, 0, 20, 12))  # the bright corner is at the upper left
    stored = upright
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    if inverse is not None:
        stored = upright.transpose(inverse)
    data = encoded(stored, form, quality=100, exif=exif)
    decoded, header = decode.decode(data), decode.read_header(data)
    assert decoded.size == (header.width, header.height) == (40, 24)
    assert decoded.getpixel((4, 4))[0] > 200
    assert max(decoded.getpixel(place)[0] for place in [(36, 4), (4, 20), (36, 20)]) < 60
    assert decoded.info[decode.TURNED] is (orientation != 1)


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4), ("P", 3), ("1", 1), ("I;16", 1)]
)
def test_headers_tell_the_natural_channels_of_every_mode(mode, channels):
    data = encoded(picture(2, 12, 20, "L").convert(mode) if mode == "I;16" else picture(2, 12, 20, mode))
    header = decode.read_header(data)
    assert (header.height, header.width, header.channels) == (12, 20, channels)
    assert header.bits == (16 if mode == "I;16" else 8)
    assert decode.natural_channels(decode.decode(data)) == channels


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"lossless": True, "exif": b"Exif\0\0MM"}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_headers_of_webp_are_those_of_the_decoded_picture(mode, options):
    image = picture(3, 21, 35, mode)
    if mode == "RGBA":
        image.putalpha(100)
    data = encoded(image, "WEBP", **options)
    header, decoded = decode.read_header(data), decode.decode(data)
    assert (header.width, header.height) == decoded.size == (35, 21)
    assert header.channels == decode.natural_channels(decoded) == len(mode)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_every_number_of_channels(mode, channels):
    array = decode.to_array(decode.to_channels(picture(4, 9, 7, mode), channels))
    assert array.shape == (channels, 9, 7)
    assert array.dtype == np.uint8
    assert array.flags.c_contiguous


def test_transparency_is_composited_on_white_when_it_is_not_kept():
    clear_red = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    half_black = Image.new("LA", (8, 8), (0, 128))
    assert decode.to_channels(clear_red, 3).getpixel((0, 0)) == (255, 255, 255)
    assert decode.to_channels(half_black, 1).getpixel((0, 0)) == 127
    assert decode.to_channels(clear_red, 4).getpixel((0, 0)) == (255, 0, 0, 0)


def test_a_transparent_palette_colour_counts_as_alpha():
    palette = picture(5, 8, 8).quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 0))
    data = encoded(palette)
    assert decode.read_header(data).channels == 4
    assert decode.to_channels(decode.decode(data), 3).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_greys_are_rounded_not_clipped():
    values = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    data = encoded(Image.fromarray(values))
    assert decode.to_array(decode.to_channels(decode.decode(data), 1)).tolist() == [[[0, 0, 1, 100, 255]]]


def test_float_pictures_lie_between_zero_and_one_or_are_refused():
    good = decode.decode(encoded(Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)), "TIFF"))
    assert decode.to_array(decode.to_channels(good, 1)).tolist() == [[[0, 128, 255]]]
    for bad, reason in [
        ([[0.0, np.nan]], "not finite"),
        ([[0.0, np.inf]], "not finite"),
        ([[0.0, 7.5]], "out of range"),
    ]:
        data = encoded(Image.fromarray(np.array(bad, np.float32)), "TIFF")
        with pytest.raises(PictureError, match=reason):
            decode.to_channels(decode.decode(data), 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_arrays_and_pictures_convert_back_and_forth_without_loss(channels):
    array = pixels(7, 5, 6, channels)
    assert np.array_equal(decode.to_array(decode.to_picture(array)), array)
