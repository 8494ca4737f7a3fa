"""`open_dataset`: what it accepts as it is, and what it refuses with the command to run."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from limner.config import base_grid
from limner.data import _modest_resolution, open_dataset
from limner.data.base import Survey
from limner.errors import DataError

from .conftest import Pictures, encoded, picture, pixels


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no such folder or file: .*nowhere"):
        open_dataset(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no pictures in .*no files at all"):
        open_dataset(tmp_path)


def test_a_folder_without_pictures_names_what_is_there(pictures: Pictures):
    with pytest.raises(DataError, match=r"no pictures in .*2 other files, such as 'notes\.txt'"):
        open_dataset(pictures.folder({"notes.txt": "hello", "table.xls": b"1"}))


def test_a_folder_of_unreadable_pictures_is_refused(pictures: Pictures):
    with pytest.raises(DataError, match=r"no readable picture in .*'a\.png': empty file"):
        open_dataset(pictures.folder({"a.png": b"", "b.jpg": b"not a picture"}))


def test_a_broken_picture_among_good_ones_names_it_and_the_command(pictures: Pictures):
    with pytest.raises(DataError, match=r"1 of 3 pictures .*'b\.png': broken.*limner prepare .*photos-prepared\.zip$"):
        open_dataset(pictures.folder({"a.png": picture(0), "b.png": b"junk", "c.png": picture(1)}))


def test_mixed_sizes_are_refused_with_a_table_and_the_command(pictures: Pictures):
    folder = pictures.folder({"a.png": picture(0, 16, 20), "b.png": picture(1, 16, 20), "c.png": picture(2, 8, 8)})
    with pytest.raises(DataError, match=r"2 sizes .*: 16x20 \(2\), 8x8 \(1\); .*limner prepare .* --resolution 8$"):
        open_dataset(folder)
    with pytest.raises(DataError, match=r"limner prepare .*photos photos-prepared\.zip --resolution 64$"):
        open_dataset(folder, resolution=(64, 64))
    with pytest.raises(DataError, match=r"--resolution 64x48$"):
        open_dataset(folder, resolution=(64, 48))


@pytest.mark.parametrize(
    ("smallest", "suggested"), [((4032, 3024), 256), ((300, 200), 128), ((64, 64), 64), ((5, 9), 8)]
)
def test_the_suggested_resolution_is_one_that_a_network_takes(smallest, suggested):
    survey = Survey(sizes=Counter({(5000, 5000): 3, smallest: 1}))
    assert _modest_resolution(survey) == (suggested, suggested)
    base_grid((suggested, suggested))


def test_a_picture_with_nan_stops_the_reading_with_its_name(pictures: Pictures):
    bad = encoded(Image.fromarray(np.full((16, 16), np.nan, np.float32)), "TIFF")
    dataset = open_dataset(pictures.folder({"bad.tif": bad, "good.png": picture(0, mode="L")}))
    with pytest.raises(DataError, match=r"cannot read 'bad\.tif' .*not finite .*limner prepare"):
        dataset.image(0)


def test_a_whole_multiple_of_the_resolution_is_averaged_over_boxes(pictures: Pictures):
    dataset = open_dataset(pictures.folder({"a.png": picture(0, 24, 32)}), resolution=(6, 8))
    mean = pixels(0, 24, 32).astype(float).reshape(3, 6, 4, 8, 4).mean((2, 4))
    assert np.abs(dataset.image(0) - mean).max() <= 0.5 + 1e-6
    assert dataset.resolution == (6, 8)
    assert dataset.note == "pictures of 24x32 are averaged down to 6x8"


@pytest.mark.parametrize("wanted", [(32, 32), (16, 8), (12, 12), (64, 16)])
def test_another_resolution_is_refused_with_the_command(pictures: Pictures, wanted):
    with pytest.raises(DataError, match=r"are 16x16 pixels .*limner prepare"):
        open_dataset(pictures.folder({"a.png": picture(0)}), resolution=wanted)


def test_channels_follow_the_pictures_unless_they_are_asked_for(pictures: Pictures):
    grey = pictures.folder({"a.png": picture(0, mode="L"), "b.png": picture(1, mode="L")}, "grey")
    clear = pictures.folder({"a.png": picture(0, mode="RGBA")}, "clear")
    both = pictures.folder({"a.png": picture(0, mode="L"), "b.png": picture(1)}, "both")
    mixed = pictures.folder({"a.png": picture(0, mode="RGBA"), "b.png": picture(1)}, "mixed")
    assert open_dataset(grey).image(0).shape == (1, 16, 16)
    assert open_dataset(grey, channels=3).image(0).shape == (3, 16, 16)
    assert open_dataset(clear).channels == 4
    assert open_dataset(clear, channels=3).note == "transparency is composited on white"
    assert open_dataset(both).channels == 3
    assert open_dataset(both, channels=1).note == "colour is turned into grey"
    assert open_dataset(mixed, channels=3).image(0).shape == (3, 16, 16)
    with pytest.raises(DataError, match=r"several kinds: 3 channels \(1\), 4 channels \(1\).*--channels 3"):
        open_dataset(mixed)


def test_deep_pictures_are_read_as_bytes_with_a_note(pictures: Pictures):
    deep = Image.fromarray(np.full((16, 16), 257 * 77, np.uint16))
    dataset = open_dataset(pictures.folder({"a.png": deep}))
    assert dataset.image(0).tolist() == np.full((1, 16, 16), 77).tolist()
    assert dataset.note == "16-bit pictures are rounded to 8 bits"


def test_a_subset_depends_on_the_seed_and_keeps_labels_with_their_pictures(pictures: Pictures):
    path = pictures.zip(pictures.nvidia(12, labels=list(range(12))))
    first, again, other = (open_dataset(path, subset=5, seed=seed) for seed in (1, 1, 2))
    assert len(first) == 5
    assert first.c_dim == 12
    numbers = [int(first.label(i).argmax()) for i in range(5)]
    assert all(np.array_equal(first.image(i), pixels(n)) for i, n in enumerate(numbers))
    assert numbers == [int(again.label(i).argmax()) for i in range(5)]
    assert numbers != [int(other.label(i).argmax()) for i in range(5)]
    assert len(open_dataset(path, subset=100)) == 12
    with pytest.raises(DataError, match="subset: got 0"):
        open_dataset(path, subset=0)


def test_pictures_turned_by_exif_count_with_their_upright_size(pictures: Pictures):
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {"a.jpg": encoded(picture(0, 16, 24), "JPEG", exif=exif), "b.jpg": encoded(picture(1, 24, 16), "JPEG")}
    dataset = open_dataset(pictures.folder(files))
    assert dataset.resolution == (24, 16)
    assert dataset.image(0).shape == (3, 24, 16)


def test_a_file_of_no_known_form_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\1" * 2000)
    with pytest.raises(DataError, match=r"cannot tell what .* holds, expected a folder, a zip, "):
        open_dataset(tmp_path / "model.bin")


def test_the_command_to_run_quotes_names_with_spaces(pictures: Pictures):
    folder = pictures.folder({"a.png": picture(0), "b.png": picture(1, 8, 8)}, "my photos")
    with pytest.raises(DataError, match=r"limner prepare '.*my photos' 'my photos-prepared\.zip' --resolution 8$"):
        open_dataset(folder)
