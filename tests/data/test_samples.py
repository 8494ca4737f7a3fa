"""The pictures embedded in the package."""

from __future__ import annotations

import numpy as np
import pytest

from limner.data import open_dataset, samples_path


@pytest.fixture(scope="module")
def dataset():
    """The embedded pictures."""
    opened = open_dataset("samples")
    yield opened
    opened.close()


def test_the_samples_are_labelled_faces_of_64_pixels(dataset):
    assert (len(dataset), dataset.resolution, dataset.channels, dataset.c_dim) == (4000, (64, 64), 3, 16)
    assert dataset.name == "samples"
    assert dataset.label_names is not None
    assert dataset.label_names[:3] == ("Smiling", "Mouth_Open", "Eyeglasses")
    assert all(dataset.image(i).shape == (3, 64, 64) for i in range(0, 4000, 500))
    background = dataset.label_names.index("Blue_Background")
    chosen = [i for i in range(200) if dataset.label(i)[background] == 1]
    corners = np.array([dataset.image(i)[:, 0, 63] for i in chosen])
    assert np.abs(np.median(corners, axis=0) - [182, 227, 244]).max() < 6
    assert open_dataset("samples", resolution=(32, 32)).image(0).shape == (3, 32, 32)


def test_every_attribute_is_carried_by_some_and_not_by_all(dataset):
    shares = dataset.labels.values.mean(axis=0)
    assert shares.shape == (16,)
    assert all(0.03 < share < 0.6 for share in shares)


def test_the_samples_are_small_and_carry_their_licence():
    assert samples_path().stat().st_size < 6_000_000
    note = samples_path().with_name("LICENSE.md").read_text(encoding="utf-8")
    assert all(word in note for word in ("Pablo Stanley", "MIT", "not photographs"))
