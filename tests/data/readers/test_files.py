"""Which files count as pictures, and how folders are read."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from limner.data import decode, open_dataset
from limner.data.decode import PictureError
from limner.data.readers import open_source
from limner.errors import DataError

from ..conftest import Pictures, encoded, picture, pixels


def test_pictures_are_found_at_any_depth_and_sorted(pictures: Pictures):
    source = open_source(pictures.folder({"b/c/z.PNG": picture(0), "a.jpg": picture(1), "b/a.webp": picture(2)}))
    assert source.names == ("a.jpg", "b/a.webp", "b/c/z.PNG")
    assert source.size_bytes > 0


def test_other_files_are_listed_and_hidden_ones_ignored(pictures: Pictures):
    source = open_source(
        pictures.zip(
            {"a.png": picture(0), "readme.txt": "x", ".DS_Store": b"x", "__MACOSX/._a.png": b"x", "Thumbs.db": b"x"}
        )
    )
    assert (source.names, source.others) == (("a.png",), ("readme.txt",))


def test_a_label_file_in_use_is_not_listed_among_other_files(pictures: Pictures):
    assert open_source(pictures.zip(pictures.nvidia(3, labels=[0, 1, 0]))).others == ()


def test_a_folder_and_a_zip_of_the_same_pictures_give_the_same_pixels(pictures: Pictures):
    files = {f"{i}.png": picture(i, 10, 12) for i in range(3)}
    for source in (open_source(pictures.folder(files)), open_source(pictures.zip(files))):
        assert [np.array_equal(decode.to_array(source.picture(i)), pixels(i, 10, 12)) for i in range(3)] == [True] * 3


def test_headers_of_pictures_with_long_metadata_are_read(pictures: Pictures):
    padded = encoded(picture(0, 12, 20), "JPEG", comment=b"x" * 60_000, exif=b"Exif\0\0" + bytes(30_000))
    header = open_source(pictures.zip({"a.jpg": padded})).header(0)
    assert (header.height, header.width, header.channels) == (12, 20, 3)


def test_a_file_that_vanished_or_may_not_be_read_is_a_reason(pictures: Pictures):
    folder = pictures.folder({"a.png": picture(0), "b.png": picture(1)})
    source = open_source(folder)
    os.remove(folder / "b.png")
    with pytest.raises(PictureError, match="cannot be opened"):
        source.picture(1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are not text")
def test_names_that_are_not_utf8_can_be_read_and_printed(pictures: Pictures):
    folder = pictures.folder({"a.png": picture(0)})
    os.rename(folder / "a.png", os.path.join(os.fsencode(folder), b"caf\xe9.png"))
    source = open_source(folder)
    assert source.names == ("caf\\xe9.png",)
    assert source.picture(0).size == (16, 16)
    assert len(open_dataset(folder).fingerprint.encode("ascii")) == 32


def test_label_text_that_is_not_utf8_is_refused(pictures: Pictures):
    with pytest.raises(DataError, match=r"'dataset\.json' of .* is not UTF-8"):
        open_source(pictures.zip({"a.png": picture(0), "dataset.json": b"\xff\xfe{"}))
