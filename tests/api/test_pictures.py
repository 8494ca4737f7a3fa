"""Naming, reading and fitting pictures from files, folders and zips."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import write_pictures
from inversion.conftest import LinearGenerator
from limner.api.pictures import named_pictures, read_mask, read_one, read_picture, to_tensor
from limner.data.decode import PictureError
from limner.errors import ConfigError, DataError

GENERATOR = LinearGenerator(resolution=(16, 8))


def test_files_folders_and_zips_are_named_apart(tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    (photos / "deep").mkdir()
    (photos / "000.png").rename(photos / "deep" / "000.png")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(photos / "001.png", "001.png")
    with named_pictures([photos, tmp_path / "more.zip", photos / "001.png"]) as entries:
        assert [entry.name for entry in entries] == ["001", "deep-000", "001-2", "001-3"]
        assert all(entry.open().size == (16, 16) for entry in entries)


def test_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pictures: got none"), named_pictures([]):
        pass
    with pytest.raises(DataError, match="no such folder or file"), named_pictures([tmp_path / "x"]):
        pass


def test_a_picture_is_cut_to_the_aspect_and_the_cut_is_told(tmp_path: Path) -> None:
    wide = np.zeros((16, 24, 3), np.uint8)
    wide[:, 8:16] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    image, remark = read_one(tmp_path / "wide.png", GENERATOR, "target")
    assert torch.equal(image, torch.ones(3, 16, 8))
    assert remark == "'wide' is resized from 24x16 to 8x16"
    Image.fromarray(wide[:, :8]).save(tmp_path / "right.png")
    assert read_one(tmp_path / "right.png", GENERATOR, "target")[1] == ""


def test_bytes_become_the_values_that_become_them_again() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = to_tensor(Image.fromarray(values))
    assert torch.equal(image[0], torch.from_numpy(values).float() / 127.5 - 1)


def test_a_mask_is_white_where_it_counts(tmp_path: Path) -> None:
    pixels = np.zeros((32, 16), np.uint8)
    pixels[:16] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", GENERATOR)
    assert mask.shape == (1, 16, 8)
    assert mask[0, :8].min() == 1.0
    assert mask[0, 8:].max() == 0.0


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"target: '.*bad\.png' cannot be read: broken picture"):
        read_one(tmp_path / "bad.png", GENERATOR, "target")
    with pytest.raises(DataError, match=r"mask: '.*bad\.png' cannot be read"):
        read_mask(tmp_path / "bad.png", GENERATOR)
    for read in (
        lambda: read_one(tmp_path / "x.png", GENERATOR, "target"),
        lambda: read_mask(tmp_path / "x.png", GENERATOR),
    ):
        with pytest.raises(DataError, match="no such file"):
            read()
    with named_pictures([tmp_path / "bad.png"]) as entries, pytest.raises(PictureError, match="broken picture"):
        read_picture(entries[0], GENERATOR)
