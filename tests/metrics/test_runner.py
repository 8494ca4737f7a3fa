"""Finding metrics, making pictures for them, and controls."""

from __future__ import annotations

import pytest
import torch

from limner.errors import ConfigError, ShapeError
from limner.metrics import runner


def test_an_unknown_metric_names_the_closest_one():
    with pytest.raises(ConfigError, match=r"unknown metric 'swd2000'.*Did you mean 'swd2k'\?"):
        runner.find("swd2000")
    with pytest.raises(ConfigError, match=r"unknown metric 'fid50k'; known: .*swd"):
        runner.find("fid50k")


def test_every_known_metric_is_found_under_its_name():
    assert {"swd", "swd2k"} <= set(runner.known())
    assert [runner.find(name).name for name in runner.known()] == list(runner.known())


def test_the_counts_are_those_of_the_protocol():
    assert runner.find("swd").num_real == 16384
    assert runner.find("swd2k").num_generated == 2048


def test_the_same_seed_gives_the_same_value_and_another_seed_another(make_generator, make_dataset):
    def value(seed):
        got = runner.evaluate(
            ["swd2k"], make_generator((16, 16)), make_dataset(50, (16, 16)), device="cpu", seed=seed, num=40
        )
        return got["swd2k@40"]

    assert value(0) == value(0)
    assert value(0) != value(1)


def test_the_batch_size_changes_neither_pictures_nor_values(make_generator, make_dataset, monkeypatch):
    generator, dataset = make_generator((16, 16), c_dim=3), make_dataset(50, (16, 16), c_dim=3)
    whole = runner.evaluate(["swd2k"], generator, dataset, device="cpu", num=40)
    monkeypatch.setattr(runner, "BATCH", 7)
    assert runner.evaluate(["swd2k"], generator, dataset, device="cpu", num=40) == whole


def test_latents_are_normal_and_labels_follow_the_data_set(make_generator, make_dataset):
    generator, dataset = make_generator((16, 16), c_dim=4), make_dataset(300, (16, 16), c_dim=4)
    runner.evaluate(["swd2k"], generator, dataset, device="cpu", num=256)
    z, c = (torch.cat(parts) for parts in zip(*generator.calls, strict=True))
    assert z.shape == (256, generator.z_dim)
    assert len(z.unique(dim=0)) == 256
    assert abs(z.mean()) < 0.06
    assert abs(z.std() - 1) < 0.06
    assert c.sum(0).min() > 40  # 256 / 4 = 64 expected of each label


def test_pictures_are_made_once_for_all_metrics(make_generator, make_dataset):
    generator, dataset = make_generator((16, 16)), make_dataset(50, (16, 16))
    values = runner.evaluate(["swd", "swd2k"], generator, dataset, device="cpu", num=40)
    assert {"swd@40", "swd2k@40"} <= set(values)
    assert len(generator.calls) == 2  # 40 pictures in batches of 32
    assert len(dataset.asked) == 64


def test_a_small_data_set_is_gone_round_again(make_generator, make_dataset):
    dataset = make_dataset(10, (16, 16))
    runner.evaluate(["swd2k"], make_generator((16, 16)), dataset, device="cpu", num=32)
    assert dataset.asked[:10] == dataset.asked[10:20]
    assert sorted(dataset.asked[:10]) == list(range(10))


def test_measuring_leaves_mode_and_random_streams_alone(make_generator, make_dataset):
    generator = make_generator((16, 16)).train()
    before = torch.random.get_rng_state()
    runner.evaluate(["swd2k"], generator, make_dataset(40, (16, 16)), device="cpu", num=33)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert generator.training
    assert generator.modes == [False, False]


def test_pictures_of_another_size_are_refused(make_generator, make_dataset):
    with pytest.raises(ShapeError, match=r"makes pictures of 16x16 px .* 'memory' has 32x16 px"):
        runner.evaluate(["swd2k"], make_generator((16, 16)), make_dataset(4, (16, 32)), device="cpu")


def test_a_count_below_one_is_refused(make_generator, make_dataset):
    with pytest.raises(ConfigError, match="got num 0"):
        runner.evaluate(["swd2k"], make_generator((16, 16)), make_dataset(4, (16, 16)), device="cpu", num=0)


def test_the_control_compares_pictures_without_overlap(make_dataset):
    dataset = make_dataset(70, (16, 16))
    values = runner.control(["swd2k"], dataset, num=35)
    assert values["swd2k@35"] > 0
    first, second = dataset.asked[:35], dataset.asked[64 : 64 + 35]
    assert not set(first) & set(second)


def test_real_pictures_are_nearer_to_real_ones_than_noise_is(make_generator, make_dataset):
    dataset = make_dataset(120, (16, 16))
    fake = runner.evaluate(["swd2k"], make_generator((16, 16)), dataset, device="cpu", num=60)
    assert runner.control(["swd2k"], dataset, num=60)["swd2k@60"] < fake["swd2k@60"] / 2


def test_a_data_set_too_small_for_two_sets_has_no_control(make_dataset):
    assert runner.control(["swd2k"], make_dataset(50, (16, 16)), num=26) == {}


def test_progress_counts_up_to_the_total(make_generator, make_dataset):
    heard = []
    runner.evaluate(
        ["swd2k"],
        make_generator((16, 16)),
        make_dataset(40, (16, 16)),
        device="cpu",
        num=40,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard == [(32, 80), (40, 80), (72, 80), (80, 80)]


def test_a_protocol_carries_seed_counts_direction_and_version():
    carried = runner.protocol("swd2k", seed=3)
    assert carried["seed"] == 3
    assert carried["num_real"] == carried["num_generated"] == 2048
    assert carried["lower_is_better"] is True
    assert carried["limner"]
