"""Encoding pictures within a budget."""

from __future__ import annotations

import base64
import io
import itertools

import numpy as np
import pytest
from PIL import Image

from limner.training.callbacks.report import pictures


def save_noise(path, size=(256, 192), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.RandomState(0).randint(0, 256, (size[1], size[0], channels), np.uint8)
    Image.fromarray(values.squeeze()).save(path)
    return path


def decode(picture):
    head, _, content = picture.uri.partition(";base64,")
    return head, Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_small_picture_is_embedded_as_it_is(tmp_path):
    path = save_noise(tmp_path / "a.png", (32, 16))
    picture = pictures.encode(path, 10_000, "a")
    head, opened = decode(picture)
    assert head == "data:image/png"
    assert opened.tobytes() == Image.open(path).tobytes()
    assert (picture.width, picture.height) == (32, 16)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_large_picture_becomes_a_jpeg_within_the_budget(tmp_path, mode):
    picture = pictures.encode(save_noise(tmp_path / "a.png", mode=mode), 20_000, "a")
    head, opened = decode(picture)
    assert head == "data:image/jpeg"
    assert len(picture.uri) < 20_000 * 4 / 3 + 100
    assert opened.width / opened.height == pytest.approx(4 / 3, rel=0.05)
    assert (picture.width, picture.height) == (256, 192)


def test_a_long_run_shows_grids_evenly_spread_with_the_first_and_the_newest(tmp_path):
    for kimg in range(60):
        save_noise(tmp_path / "samples" / f"{kimg:06d}.png")
    album = pictures.gather(tmp_path, 60)
    captions = [int(picture.caption.split()[0]) for picture in album.timeline]
    assert len(captions) == pictures.TIMELINE_GRIDS + 1
    assert captions[0] == 0
    assert captions[-2:] == [58, 59]
    assert {b - a for a, b in itertools.pairwise(captions[:-1])} <= {2, 3}
    assert sum(len(picture.uri) for picture in album.timeline) < 2_000_000


def test_grids_ahead_of_the_run_are_not_shown(tmp_path):
    for name in ("000000", "000000.500", "000001", "000002"):
        save_noise(tmp_path / "samples" / f"{name}.png", (16, 16))
    album = pictures.gather(tmp_path, 1.0)
    assert [picture.caption for picture in album.timeline] == ["0 kimg", "0.5 kimg", "1 kimg"]


def test_a_run_without_pictures_has_an_empty_album(tmp_path):
    assert pictures.gather(tmp_path, 1.0) == pictures.Album(timeline=(), others=())
