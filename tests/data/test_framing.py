"""Cropping, resizing and encoding."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.data import decode, framing

from .conftest import picture, pixels


def split(width: int, height: int) -> Image.Image:
    """Red in the left third, green in the middle third, blue in the right third."""
    image = Image.new("RGB", (width, height), (0, 255, 0))
    image.paste((255, 0, 0), (0, 0, width // 3, height))
    image.paste((0, 0, 255), (width - width // 3, 0, width, height))
    return image


@pytest.mark.parametrize("crop", framing.CROPS)
@pytest.mark.parametrize("resample", framing.FILTERS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_mode_filter_and_crop_gives_the_resolution(mode, resample, crop):
    fitted = framing.fit(picture(0, 37, 50, mode), (16, 24), crop, resample)
    assert (fitted.size, fitted.mode) == ((24, 16), mode)


def test_a_picture_of_the_right_size_is_left_untouched():
    for crop in framing.CROPS:
        fitted = framing.fit(picture(1, 16, 24), (16, 24), crop, "lanczos")
        assert np.array_equal(decode.to_array(fitted), pixels(1, 16, 24))


def test_centre_keeps_the_middle_none_stretches_letterbox_fills_with_black():
    wide = split(90, 30)
    centre = framing.fit(wide, (30, 30), "centre", "box")
    assert np.unique(np.asarray(centre).reshape(-1, 3), axis=0).tolist() == [[0, 255, 0]]
    stretched = framing.fit(wide, (30, 30), "none", "box")
    assert [stretched.getpixel((x, 15)) for x in (5, 15, 25)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    boxed = framing.fit(wide, (30, 30), "letterbox", "box")
    assert [boxed.getpixel((x, 15)) for x in (5, 15, 25)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    assert boxed.getpixel((15, 2)) == boxed.getpixel((15, 27)) == (0, 0, 0)
    assert framing.fit(wide.convert("RGBA"), (30, 30), "letterbox", "box").getpixel((15, 2)) == (0, 0, 0, 0)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 100), st.integers(1, 100))
def test_the_centre_box_is_inside_centred_of_the_right_aspect_and_as_large_as_possible(width, height, out_h, out_w):
    left, upper, right, lower = framing.centre_box((width, height), (out_h, out_w))
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height
    assert np.isclose(left, width - right, atol=1e-6)
    assert np.isclose(upper, height - lower, atol=1e-6)
    assert np.isclose((right - left) * out_h, (lower - upper) * out_w, rtol=1e-6)
    assert min(left, upper) < 1e-6


def test_a_box_filter_at_a_whole_factor_is_the_mean():
    fitted = decode.to_array(framing.fit(picture(2, 32, 32), (8, 8), "centre", "box"))
    mean = pixels(2, 32, 32).astype(float).reshape(3, 8, 4, 8, 4).mean((2, 4))
    assert np.abs(fitted - mean).max() <= 1


@pytest.mark.parametrize(
    ("size", "crop", "enlarged"),
    [((32, 32), "centre", False), ((32, 10), "centre", True), ((32, 10), "letterbox", False), ((10, 10), "none", True)],
)
def test_enlargement_is_noticed(size, crop, enlarged):
    assert framing.is_enlarged(size, (16, 16), crop) is enlarged


def test_sixteen_bits_survive_fitting_and_encoding():
    values = np.random.RandomState(3).randint(0, 65536, (16, 16)).astype(np.uint16)
    encoded = framing.encode_png(framing.fit_deep(Image.fromarray(values), (16, 16), "centre", "lanczos"))
    with Image.open(io.BytesIO(encoded)) as back:
        assert np.array_equal(np.asarray(back), values)
    halved = np.asarray(framing.fit_deep(Image.fromarray(values), (8, 8), "centre", "box"))
    assert np.abs(halved - values.astype(float).reshape(8, 2, 8, 2).mean((1, 3))).max() <= 1
    assert np.asarray(framing.fit_deep(picture(0, mode="L"), (16, 16), "centre", "box")).max() > 255


def test_encoded_pictures_carry_no_metadata():
    image = picture(4)
    image.info = {"icc_profile": b"x" * 100, "transparency": (0, 0, 0), "dpi": (300, 300)}
    with Image.open(io.BytesIO(framing.encode_png(image))) as back:
        assert back.info == {}
        assert np.array_equal(decode.to_array(back), pixels(4))
