"""Labels and data sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limner.data import open_dataset
from limner.data.base import Labels, Survey
from limner.errors import DataError

from .conftest import Pictures, picture, pixels


def test_classes_become_one_hot_and_attributes_stay_vectors():
    classes = Labels(kind="classes", values=np.array([2, 0, 1]), names=("a", "b", "c"), dim=3)
    assert classes.vectors(np.array([0, 1])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert classes.vectors(np.array([0])).dtype == np.float32
    values = np.array([[0.5, 1.0], [0.0, 1.0]], np.float32)
    attributes = Labels(kind="attributes", values=values, dim=2)
    assert np.array_equal(attributes.vectors(np.array([1, 0])), values[[1, 0]])
    assert classes.counts() == {"a": 1, "b": 1, "c": 1}
    assert attributes.counts() == {"0": 1, "1": 2}


def test_a_data_set_gives_bytes_and_labels(pictures: Pictures):
    path = pictures.zip(pictures.nvidia(4, labels=[0, 2, 1, 2]))
    dataset = open_dataset(path)
    assert len(dataset) == 4
    assert (dataset.resolution, dataset.channels, dataset.c_dim, dataset.name) == ((16, 16), 3, 3, "photos")
    assert np.array_equal(dataset.image(2), pixels(2))
    assert dataset.label(1).tolist() == [0, 0, 1]
    assert dataset.label_names is None
    assert dataset.note == ""
    dataset.close()


def test_labels_are_drawn_uniformly_over_the_pictures(pictures: Pictures):
    dataset = open_dataset(pictures.zip(pictures.nvidia(4, labels=[[0.0], [1.0], [2.0], [3.0]])))
    draw = torch.tensor([0.0, 0.2499, 0.25, 0.5, 0.75, 0.9999999])
    labels = dataset.sample_labels(draw)
    assert labels.dtype == torch.float32
    assert labels[:, 0].tolist() == [0, 0, 1, 2, 3, 3]


def test_the_fingerprint_follows_content_and_nothing_else(pictures: Pictures):
    files = pictures.nvidia(4, labels=[0, 1, 0, 1])
    first = open_dataset(pictures.zip(files, "one.zip")).fingerprint
    assert open_dataset(pictures.zip(files, "two.zip")).fingerprint == first
    assert len(first) == 32
    other = {**files, "00000/img00000003.png": picture(99)}
    changed = [
        open_dataset(pictures.zip(other, "three.zip")),
        open_dataset(pictures.zip(pictures.nvidia(4, labels=[0, 1, 1, 1]), "four.zip")),
        open_dataset(pictures.root / "one.zip", resolution=(8, 8)),
        open_dataset(pictures.root / "one.zip", channels=1),
        open_dataset(pictures.root / "one.zip", subset=3),
    ]
    assert len({first, *(dataset.fingerprint for dataset in changed)}) == 6
    folder = pictures.folder(files, "as-folder")
    before = open_dataset(folder).fingerprint
    pictures.folder({"00000/img00000003.png": picture(99)}, "as-folder")
    assert open_dataset(folder).fingerprint != before


def test_a_picture_of_another_size_than_its_header_says_is_named(pictures: Pictures):
    dataset = open_dataset(pictures.folder({"a.png": picture(0), "b.png": picture(1)}))
    pictures.folder({"b.png": picture(1, 20, 16)})
    with pytest.raises(DataError, match=r"'b\.png'.*20x16 pixels, expected 16x16"):
        dataset.image(1)


def test_the_table_of_sizes_names_the_commonest_first():
    survey = Survey()
    for side, count in [(8, 1), (16, 5), (32, 2)]:
        survey.sizes[side, side] = count
    assert survey.sizes_table(rows=2) == "16x16 (5), 32x32 (2) and 1 more sizes"
