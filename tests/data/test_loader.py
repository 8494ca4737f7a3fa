"""The order of the loader, and that nothing but the seed and the position decides it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.data import open_dataset
from limner.data.base import Dataset, Labels
from limner.data.loader import Loader, epoch_order
from limner.data.readers.arrays import ArraySource
from limner.errors import ConfigError, DataError

from .conftest import Pictures, encoded, picture


def make_dataset(count: int, labelled: bool = True) -> Dataset:
    """Pictures of 2x4 whose left column holds the number of the picture, and the right one its number plus 100."""
    pixels = np.zeros((count, 3, 2, 4), np.uint8)
    pixels[:, :, :, 0] = np.arange(count)[:, None, None]
    pixels[:, :, :, 3] = np.arange(count)[:, None, None] + 100
    labels = Labels(kind="classes", values=np.arange(count) % 3, dim=3) if labelled else None
    return Dataset(
        ArraySource("memory", "array", pixels, labels),
        name="memory",
        stored_resolution=(2, 4),
        resolution=(2, 4),
        channels=3,
        indices=np.arange(count),
    )


def shown(dataset: Dataset, batches: int, **options) -> list[tuple[int, bool]]:
    """(picture, flipped) for every sample of the first batches."""
    loader = Loader(dataset, **options)
    try:
        images = torch.cat([next(loader)[0] for _ in range(batches)])
    finally:
        loader.close()
    left, right = images[:, 0, 0, 0].tolist(), images[:, 0, 0, 3].tolist()
    return [(min(pair), pair[0] > pair[1]) for pair in zip(left, right, strict=True)]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**40), st.booleans())
def test_every_epoch_shows_every_picture_exactly_once(count, batch, seed, mirror):
    total = count * (2 if mirror else 1)
    samples = shown(make_dataset(count), -(-2 * total // batch), batch=batch, seed=seed, mirror=mirror)
    everything = sorted((i, flip) for i in range(count) for flip in ([False, True] if mirror else [False]))
    assert sorted(samples[:total]) == everything
    assert sorted(samples[total : 2 * total]) == everything


def test_the_seed_and_the_epoch_change_the_order():
    orders = [tuple(epoch_order(50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 30), st.sampled_from([1, 2, 3, 4]), st.integers(1, 4), st.integers(0, 100), st.booleans())
def test_shares_of_all_ranks_interleave_to_the_single_process_batch(count, world, share, start, mirror):
    dataset, batch = make_dataset(count), world * share
    options = {"batch": batch, "seed": 5, "mirror": mirror, "start": start}
    whole = shown(dataset, 3, **options)
    ranks = [shown(dataset, 3, rank=rank, world=world, **options) for rank in range(world)]
    interleaved = [ranks[j % world][j // world] for j in range(3 * batch)]
    assert interleaved == whole


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 12))
def test_starting_at_a_position_resumes_exactly_there(count, batch, skipped):
    dataset = make_dataset(count)
    whole = shown(dataset, skipped + 3, batch=batch, seed=2, mirror=True)
    rest = shown(dataset, 3, batch=batch, seed=2, mirror=True, start=skipped * batch)
    assert rest == whole[skipped * batch :]


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 7}, {"cache_mb": 0}])
def test_neither_threads_nor_cache_change_what_is_shown(options):
    dataset = make_dataset(23)
    assert shown(dataset, 20, batch=6, mirror=True, **options) == shown(dataset, 20, batch=6, mirror=True)


def test_a_cache_too_small_for_all_pictures_keeps_the_first_ones(monkeypatch):
    big = np.zeros((5, 3, 512, 512), np.uint8)
    big[:, 0, 0, 0] = np.arange(5)
    dataset = Dataset(
        ArraySource("memory", "array", big, None),
        name="memory",
        stored_resolution=(512, 512),
        resolution=(512, 512),
        channels=3,
        indices=np.arange(5),
    )
    read: list[int] = []
    original = Dataset.image
    monkeypatch.setattr(Dataset, "image", lambda self, i: (read.append(i), original(self, i))[1])
    loader = Loader(dataset, batch=5, workers=1, cache_mb=2)  # a picture takes 0.75 MB, so two are kept
    seen = [next(loader)[0][:, 0, 0, 0].tolist() for _ in range(6)]
    loader.close()
    assert all(sorted(batch) == [0, 1, 2, 3, 4] for batch in seen)
    assert [read.count(i) for i in (0, 1)] == [1, 1]
    assert all(read.count(i) >= 6 for i in (2, 3, 4))


def test_mirror_flips_pictures_left_to_right_and_keeps_their_labels():
    dataset = make_dataset(4)
    loader = Loader(dataset, batch=8, mirror=True)
    images, labels = next(loader)
    loader.close()
    assert labels is not None
    for image, label in zip(images, labels, strict=True):
        index = int(min(image[0, 0, 0], image[0, 0, 3]))
        plain = torch.from_numpy(dataset.image(index))
        assert torch.equal(image, plain) or torch.equal(image, plain.flip(2))
        assert torch.equal(label, torch.from_numpy(dataset.label(index)))


def test_batches_are_byte_pictures_with_float_labels_or_none():
    loader = Loader(make_dataset(6), batch=4, rank=1, world=2)
    images, labels = next(loader)
    next(loader)
    loader.close()
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (2, 3, 2, 4))
    assert labels is not None
    assert (labels.dtype, tuple(labels.shape)) == (torch.float32, (2, 3))
    assert loader.images_served == 4
    assert loader.wait_sec >= 0
    unlabelled = Loader(make_dataset(6, labelled=False), batch=4)
    assert next(unlabelled)[1] is None
    unlabelled.close()


def test_a_picture_that_cannot_be_decoded_stops_the_loader_with_its_name(pictures: Pictures):
    whole = encoded(picture(1, 64, 64))
    folder = pictures.folder({"a.png": picture(0, 64, 64), "cut.png": whole[: len(whole) // 2]})
    loader = Loader(open_dataset(folder), batch=2)
    with pytest.raises(DataError, match=r"cut\.png.*broken picture.*limner prepare"):
        next(loader)
    loader.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"batch": 3, "world": 2},
        {"batch": 2, "world": 2, "rank": 2},
        {"batch": 2, "start": -1},
        {"batch": 2, "workers": 0},
        {"batch": 2, "cache_mb": -1},
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        Loader(make_dataset(4), **wrong)
