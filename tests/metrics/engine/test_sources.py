"""Numbered pictures of generators and data sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limner.errors import ConfigError, NonFiniteError
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures


def test_latents_are_normal_and_labels_follow_the_data_set(make_generator, make_dataset):
    generator, dataset = make_generator((16, 16), c_dim=4), make_dataset(300, (16, 16), c_dim=4)
    GeneratorPictures(generator, dataset).pictures(range(256))
    ((z, c),) = generator.calls
    assert z.shape == (256, generator.z_dim)
    assert len(z.unique(dim=0)) == 256
    assert abs(z.mean()) < 0.06
    assert abs(z.std() - 1) < 0.06
    assert c.sum(0).min() > 40  # 256 / 4 = 64 expected of each label


def test_a_picture_depends_on_the_seed_and_its_number_alone(make_generator):
    source = GeneratorPictures(make_generator((16, 16)), seed=5)
    whole = source.pictures(range(10))
    assert whole.shape == (10, 3, 16, 16)
    assert whole.dtype == torch.uint8
    assert torch.equal(torch.cat([source.pictures([i]) for i in range(10)]), whole)
    assert not torch.equal(GeneratorPictures(make_generator((16, 16)), seed=6).pictures(range(10)), whole)


def test_salted_draws_are_others_and_extra_ones_change_none(make_generator):
    source = GeneratorPictures(make_generator((16, 16)))
    plain, salted, more = source.draws([3]), source.draws([3], salt=1), source.draws([3], num_extra=2)
    assert not torch.equal(plain.z, salted.z)
    assert torch.equal(plain.z, more.z)
    assert torch.equal(plain.noises[0], more.noises[0])
    assert more.extra.shape == (1, 2)
    assert plain.c is None


def test_measuring_leaves_mode_and_random_streams_alone(make_generator):
    generator = make_generator((16, 16)).train()
    before = torch.random.get_rng_state()
    GeneratorPictures(generator).pictures(range(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert generator.training
    assert generator.modes == [False]


def test_a_conditional_generator_needs_labels_of_its_length(make_generator, make_dataset):
    with pytest.raises(ConfigError, match=r"conditional \(labels of 3 values\).*got no data set.*--data"):
        GeneratorPictures(make_generator((16, 16), c_dim=3))
    with pytest.raises(ConfigError, match="got the data set 'memory' with labels of 2"):
        GeneratorPictures(make_generator((16, 16), c_dim=3), make_dataset(4, (16, 16), c_dim=2))


def test_labels_nobody_asked_for_are_not_given(make_generator, make_dataset):
    generator = make_generator((16, 16))
    GeneratorPictures(generator, make_dataset(4, (16, 16), c_dim=2)).pictures([0])
    assert generator.calls[0][1] is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_pictures_that_are_not_numbers_are_refused(make_generator, value):
    generator = make_generator((16, 16))
    generator.synthesis = lambda ws, **_: torch.full((len(ws), 3, 16, 16), value)
    with pytest.raises(NonFiniteError, match=r"'faces' makes pictures with NaN or infinity"):
        GeneratorPictures(generator, name="faces").pictures(range(2))


def test_the_pictures_of_a_data_set_are_shuffled_and_go_round_again(make_dataset):
    dataset = make_dataset(5, (16, 16))
    source = DatasetPictures(dataset, seed=1)
    pictures = source.pictures(range(12))
    assert sorted(dataset.asked[:5]) == [0, 1, 2, 3, 4]
    assert dataset.asked[:5] == dataset.asked[5:10]
    assert torch.equal(pictures[:5], pictures[5:10])
    again = make_dataset(5, (16, 16))
    DatasetPictures(again, seed=2).pictures(range(5))
    assert again.asked != dataset.asked[:5]


def test_backwards_begins_at_the_other_end(make_dataset):
    dataset = make_dataset(6, (16, 16))
    DatasetPictures(dataset, seed=1).pictures(range(6))
    DatasetPictures(dataset, seed=1, backwards=True).pictures(range(6))
    assert dataset.asked[:6] == dataset.asked[:5:-1]


def test_a_mirrored_set_holds_every_picture_both_ways(make_dataset):
    dataset = make_dataset(4, (16, 16))
    source = DatasetPictures(dataset, mirror=True)
    assert source.size == 8
    pictures = source.pictures(range(8)).numpy()
    expected = [*dataset.pictures, *dataset.pictures[..., ::-1]]
    assert sorted(p.tobytes() for p in pictures) == sorted(np.ascontiguousarray(p).tobytes() for p in expected)


def test_of_all_pictures_the_order_does_not_count(make_dataset):
    dataset = make_dataset(6, (16, 16))
    one, other = DatasetPictures(dataset, seed=0), DatasetPictures(dataset, seed=1)
    assert one.identity(6) == other.identity(6)
    assert len({one.identity(6), one.identity(5), one.identity(4), other.identity(5)}) == 4
    assert DatasetPictures(dataset, mirror=True).identity(12) != one.identity(6)
    assert DatasetPictures(dataset, backwards=True).identity(5) != one.identity(5)
    dataset.pictures[0] ^= 1
    assert DatasetPictures(dataset).identity(6) != DatasetPictures(make_dataset(6, (16, 16))).identity(6)


def test_nothing_is_kept_of_a_generator(make_generator):
    assert GeneratorPictures(make_generator((16, 16))).identity(5) is None
