"""Finding metrics, measuring sets against one another, and controls."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from limner.errors import ConfigError, DataError, ShapeError
from limner.features.base import FeatureNetwork
from limner.metrics import runner
from limner.metrics.engine.advice import PROBE
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.engine.statistics import GivenMoments, moments_state
from limner.metrics.runner import control, evaluate

EVERY_SET_METRIC = ["fid50k", "fid50k_full", "sfid50k", "kid50k_full", "is50k", "pr50k3", "dc10k5", "msssim", "lpips"]


def measured(results):
    return {name: value for result in results for name, value in result.values.items()}


def test_an_unknown_metric_names_the_closest_one():
    with pytest.raises(ConfigError, match=r"unknown metric 'fid50kfull'.*Did you mean 'fid50k_full'\?"):
        runner.find("fid50kfull")
    with pytest.raises(ConfigError, match=r"unknown metric 'elo'; known: .*swd"):
        runner.find("elo")


def test_every_known_metric_is_found_under_its_name():
    assert {"fid50k", "fid50k_full", "fd_lite0", "pr50k3", "ppl2_wend", "swd", "swd2k"} <= set(runner.known())
    assert [runner.find(name).name for name in runner.known()] == list(runner.known())


@pytest.mark.parametrize(
    ("name", "num_real", "num_generated"),
    [
        ("fid50k", 50_000, 50_000),
        ("fid5k", 5_000, 5_000),
        ("fid50k_full", None, 50_000),
        ("fid2048_full", None, 2_048),
        ("fd_lite0", None, 50_000),
        ("fd_lite0_5k", None, 5_000),
        ("fid_inf_10k", None, 10_000),
        ("pr10k3", 10_000, 10_000),
        ("is500", 0, 500),
        ("ppl2_wend_1k", 0, 1_000),
        ("swd", 16_384, 16_384),
        ("swd2k", 2_048, 2_048),
        ("swd4k", 4_096, 4_096),
    ],
)
def test_a_name_states_its_numbers(name, num_real, num_generated):
    metric = runner.find(name)
    assert (metric.num_real, metric.num_generated, metric.name) == (num_real, num_generated, name)


@pytest.mark.parametrize("name", ["fid", "fid0k_full", "fid50k_half", "fd_lite0_", "swd2", "fid5_full"])
def test_what_only_looks_like_a_name_is_refused(name):
    with pytest.raises(ConfigError):
        runner.find(name)


def test_pictures_pass_once_through_a_network_for_all_metrics(make_generator, make_dataset, networks):
    generator, dataset = make_generator((16, 16)), make_dataset(50, (16, 16))
    generated, real = GeneratorPictures(generator), DatasetPictures(dataset)
    values = measured(evaluate(EVERY_SET_METRIC, generated, real, networks=networks, num=40))
    assert {"fid40", "fid40_full", "pr403/precision", "dc405/density", "msssim_40/real", "is40/std"} <= set(values)
    assert sorted(dataset.asked[:50]) == list(range(50))
    assert len(dataset.asked) == 50 + PROBE
    assert len(generator.calls) == 2  # 40 pictures in batches of 32
    assert networks.get("inception").seen == (50 + 40) + (40 + 40)  # as inception, and as vgg, which takes 40 reals


def test_the_batch_size_does_not_change_the_values(make_generator, make_dataset, networks):
    generator, dataset = make_generator((16, 16), c_dim=3), make_dataset(50, (16, 16), c_dim=3)

    def values(batch):
        generated, real = GeneratorPictures(generator, dataset), DatasetPictures(dataset)
        team = runner.Team(batch=batch)
        names = [*EVERY_SET_METRIC, "swd", "ppl_wfull", "ppl_zend"]
        return measured(evaluate(names, generated, real, networks=networks, num=40, team=team))

    assert values(7) == pytest.approx(values(32), rel=1e-5, abs=1e-9)


def test_the_same_seed_gives_the_same_value_and_another_seed_another(make_generator, make_dataset, networks):
    def value(seed):
        generated = GeneratorPictures(make_generator((16, 16)), seed=seed)
        real = DatasetPictures(make_dataset(50, (16, 16)), seed=seed)
        return measured(evaluate(["swd", "fid50k"], generated, real, networks=networks, num=40))

    assert value(0) == value(0)
    assert value(0)["swd40"] != value(1)["swd40"]
    assert value(0)["fid40"] != value(1)["fid40"]


def test_a_smaller_set_is_measured_whole_and_the_name_says_so(make_dataset, networks):
    small, large = DatasetPictures(make_dataset(30, (16, 16))), DatasetPictures(make_dataset(60, (16, 16)))
    (result,) = evaluate(["fid50k_full"], small, large, networks=networks)
    assert (result.name, result.num_generated, result.num_real) == ("fid30_full", 30, 60)
    (result,) = evaluate(["swd"], small, large, networks=networks)
    assert (result.name, result.num_generated, result.num_real) == ("swd30", 30, 30)


def test_a_small_reference_is_taken_whole_by_feature_metrics_and_gone_round_again_by_swd(
    make_generator, make_dataset, networks
):
    dataset = make_dataset(10, (16, 16))
    names = ["fid50k", "pr50k3", "swd"]
    results = evaluate(
        names, GeneratorPictures(make_generator((16, 16))), DatasetPictures(dataset), networks=networks, num=24
    )
    assert [result.num_real for result in results] == [10, 10, 24]
    assert dataset.asked[:10] == dataset.asked[10:20]
    assert sorted(dataset.asked[:10]) == list(range(10))


def test_the_same_pictures_are_at_distance_zero(make_dataset, networks):
    pictures = DatasetPictures(make_dataset(40, (16, 16)))
    values = measured(evaluate(["fid50k_full", "pr50k3", "dc10k5"], pictures, pictures, networks=networks))
    assert values["fid40_full"] == pytest.approx(0, abs=1e-9)
    assert values["pr403"] == values["pr403/precision"] == values["pr403/recall"] == 1.0
    assert values["dc405/coverage"] == 1.0


def test_a_result_carries_what_decided_it(make_generator, make_dataset, networks):
    generated = GeneratorPictures(make_generator((16, 16)), seed=3, name="runs/faces")
    real = DatasetPictures(make_dataset(50, (16, 16)), seed=3)
    (result,) = evaluate(["fd_lite0_30"], generated, real, networks=networks)
    plain = result.to_dict()
    assert plain["name"] == "fd_lite0_30"
    assert plain["values"] == {"fd_lite0_30": result.value}
    assert (plain["seed"], plain["num_real"], plain["num_generated"]) == (3, 50, 30)
    assert (plain["real"], plain["generated"]) == ("memory", "runs/faces")
    assert plain["networks"] == {"lite0": {"sha256": "random", "resize": "none"}}
    assert plain["lower_is_better"] is True
    assert plain["version"] == 1
    assert plain["limner"]
    assert set(result.protocol()) == set(plain) - {"name", "values"}


def test_pictures_of_another_size_are_refused(make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(4, (16, 32)))
    with pytest.raises(ShapeError, match=r"'generator' has pictures of 16x16 px .* 'memory' has 32x16 px"):
        evaluate(["swd2k"], generated, real, networks=networks)


def test_grey_and_transparent_pictures_are_measured_as_colour(make_dataset, networks):
    for channels in (1, 2, 4):
        pictures = DatasetPictures(make_dataset(40, (16, 16), channels))
        assert (
            measured(evaluate(["fid50k_full", "stlpips"], pictures, pictures, networks=networks))["fid40_full"] < 1e-9
        )


def test_a_count_below_one_is_refused(make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(4, (16, 16)))
    with pytest.raises(ConfigError, match="got a count of 0"):
        evaluate(["swd2k"], generated, real, networks=networks, num=0)


def test_a_metric_without_its_reference_is_refused(make_generator, networks):
    generated = GeneratorPictures(make_generator((16, 16)))
    with pytest.raises(ConfigError, match=r"fid20_full compares with real pictures, got none; .* --data"):
        evaluate(["fid20_full"], generated, networks=networks)
    results = evaluate(["is20", "msssim_20", "ppl2_wend_20"], generated, networks=networks)
    assert [result.real for result in results] == [None, None, None]
    assert "msssim_20/real" not in results[1].values


def test_a_metric_of_generators_refuses_pictures(make_dataset, networks):
    pictures = DatasetPictures(make_dataset(20, (16, 16)))
    with pytest.raises(ConfigError, match=r"ppl2_wend_20 measures a generator, got the pictures 'memory'"):
        evaluate(["ppl2_wend"], pictures, pictures, networks=networks)


def test_a_mirrored_reference_is_not_for_metrics_that_take_it_as_it_is(make_generator, make_dataset, networks):
    generated = GeneratorPictures(make_generator((16, 16)))
    real = DatasetPictures(make_dataset(30, (16, 16)), mirror=True)
    with pytest.raises(ConfigError, match="fid50_full takes the reference as it is; leave out --mirror"):
        evaluate(["fid50_full"], generated, real, networks=networks)
    (result,) = evaluate(["fid50"], generated, real, networks=networks)
    assert result.mirror
    assert result.num_real == 50


def test_missing_weights_are_told_before_any_picture_is_made(make_generator, make_dataset, monkeypatch):
    class Absent:
        def load(self, **_):
            raise DataError("no weights")

    monkeypatch.setattr("limner.metrics.engine.networks.registry", SimpleNamespace(get=lambda kind, name: Absent()))
    generator = make_generator((16, 16))
    with pytest.raises(DataError, match="no weights"):
        evaluate(
            ["fid20"], GeneratorPictures(generator), DatasetPictures(make_dataset(4, (16, 16))), networks=Networks()
        )
    assert generator.calls == []


def test_given_moments_stand_in_for_the_reference(make_dataset, networks):
    pictures = DatasetPictures(make_dataset(40, (16, 16)))
    features = networks.get("inception")(pictures.pictures(range(40)))["pool"].double()
    reference = GivenMoments("faces.npz", moments_state(features.mean(0), torch.cov(features.T)))
    (result,) = evaluate(["fid40"], pictures, networks=networks, reference=reference)
    assert (result.real, result.num_real) == ("faces.npz", 0)
    assert result.value == pytest.approx(0, abs=1e-6)
    with pytest.raises(DataError, match=r"sfid40 has 4 features, the statistics in faces.npz have 6"):
        evaluate(["sfid40"], pictures, networks=networks, reference=reference)
    with pytest.raises(ConfigError, match=r"pr403 compares .* got the statistics in faces.npz; .* --data"):
        evaluate(["pr403"], pictures, networks=networks, reference=reference)


def test_the_control_compares_pictures_without_overlap(make_dataset, networks):
    dataset = make_dataset(70, (16, 16))
    (result,) = control(["swd2k"], dataset, networks=networks, num=35)
    assert result.value > 0
    first, second = dataset.asked[:35], dataset.asked[35:70]
    assert not set(first) & set(second)


def test_the_control_of_a_whole_reference_takes_what_is_left(make_dataset, networks):
    dataset = make_dataset(70, (16, 16))
    (result,) = control(["fid30_full"], dataset, networks=networks)
    assert (result.num_real, result.num_generated) == (40, 30)
    assert control(["fid40_full"], dataset, networks=networks) == []


def test_metrics_of_generators_have_no_control_and_others_measure_the_pictures(make_dataset, networks):
    results = control(["ppl2_wend_20", "is20", "msssim_20"], make_dataset(70, (16, 16)), networks=networks)
    assert [result.name for result in results] == ["is20", "msssim_20"]


def test_real_pictures_are_nearer_to_real_ones_than_noise_is(make_generator, make_dataset, networks):
    dataset = make_dataset(120, (16, 16))
    names = ["swd", "fid50k", "kid50k"]
    fake = evaluate(
        names, GeneratorPictures(make_generator((16, 16))), DatasetPictures(dataset), networks=networks, num=60
    )
    for near, far in zip(control(names, dataset, networks=networks, num=60), fake, strict=True):
        assert near.value < far.value / 2


def test_a_data_set_too_small_for_two_sets_has_no_control(make_dataset, networks):
    assert control(["swd2k"], make_dataset(50, (16, 16)), networks=networks, num=26) == []


def test_progress_counts_up_to_the_total(make_generator, make_dataset, networks):
    heard = []
    evaluate(
        ["swd", "ppl2_wend"],
        GeneratorPictures(make_generator((16, 16))),
        DatasetPictures(make_dataset(40, (16, 16))),
        networks=networks,
        num=40,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[:4] == [(32, 120), (40, 120), (72, 120), (80, 120)]
    assert heard[-1] == (120, 120)


def test_networks_are_loaded_once_by_name(monkeypatch):
    asked = []

    class Module:
        def load(self, *, weights, device):
            asked.append((weights, device))
            network = torch.nn.Module()
            network.sha256 = "12"
            return network

    monkeypatch.setattr("limner.metrics.engine.networks.registry", SimpleNamespace(get=lambda kind, name: Module()))
    networks = Networks("cpu", weights={"inception": "file.pth"})
    assert networks.get("inception") is networks.get("inception")
    assert asked == [("file.pth", torch.device("cpu"))]
    assert networks.stamp("inception") == {"sha256": "12"}
    assert not isinstance(networks.get("inception"), FeatureNetwork)
