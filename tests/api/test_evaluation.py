"""Measuring generators and pictures against pictures, alone and in two processes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import tiny_config, write_pictures, write_run
from limner import registry
from limner.api import evaluation
from limner.api.evaluation import evaluate, gatherer, metric_names, nearest, write_results
from limner.errors import CheckpointError, ConfigError, DataError, LimnerError, WeightsError
from limner.features.base import RANDOM, FeatureNetwork
from limner.metrics import runner
from limner.metrics.engine import networks
from limner.training import distributed


class TinyFeatures(FeatureNetwork):
    """Means over a 2x2 grid of each channel."""

    name, sha256, resize, dims = "tiny", RANDOM, "none", {"pool": 12}

    def extract(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"pool": torch.nn.functional.adaptive_avg_pool2d(images.float() / 64, 2).flatten(1)}


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks that need no weights, and a cache that is thrown away."""

    class Module:
        def load(self, **_: Any) -> TinyFeatures:
            return TinyFeatures()

    class Registry:
        def get(self, kind: str, name: str) -> Module:
            return Module()

    monkeypatch.setattr(networks, "registry", Registry())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_run_is_measured_against_pictures(tiny_run: Path, picture_folder: Path) -> None:
    heard: list[tuple[int, int]] = []
    results = evaluate(
        tiny_run, picture_folder, ["fid50k_full", "swd"], num=10, device="cpu", progress=lambda *c: heard.append(c)
    )
    assert [result.name for result in results] == ["fid10_full", "swd10"]
    assert all(result.value > 0 for result in results)
    assert results[0].num_real == 12
    assert results[0].generated == str(tiny_run)
    assert results[0].real == "photos"
    assert heard[-1] == (22, 22)


def test_without_data_the_pictures_a_run_was_trained_on_are_the_reference(tmp_path: Path, picture_folder: Path) -> None:
    run = write_run(tmp_path / "run", tiny_config(picture_folder))
    (own,) = evaluate(run, metrics=["fid10_full"], device="cpu")
    (named,) = evaluate(run, picture_folder, ["fid10_full"], device="cpu")
    assert own.values == named.values


def test_pictures_that_are_gone_are_told_and_not_needed_by_every_metric(tiny_run: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder or file: .*faces.zip"):
        evaluate(tiny_run, metrics=["fid10_full"], device="cpu")
    (result,) = evaluate(tiny_run, metrics=["msssim_10"], device="cpu")
    assert list(result.values) == ["msssim_10"]


def test_a_conditional_run_takes_its_labels_from_the_data(
    conditional_run: Path, class_folder: Path, picture_folder: Path
) -> None:
    (result,) = evaluate(conditional_run, class_folder, ["fid10_full"], device="cpu")
    assert result.value > 0
    with pytest.raises(ConfigError, match=r"conditional \(labels of 3 values\)"):
        evaluate(conditional_run, picture_folder, ["fid10_full"], device="cpu")


def test_pictures_are_measured_against_pictures(picture_folder: Path, class_folder: Path) -> None:
    (result,) = evaluate(picture_folder, class_folder, ["fid50k_full"], device="cpu")
    assert (result.name, result.num_real) == ("fid12_full", 12)
    (same,) = evaluate(picture_folder, picture_folder, ["fid50k_full"], device="cpu")
    assert same.value == pytest.approx(0, abs=1e-6) != result.value


def test_a_larger_reference_is_averaged_down_and_a_smaller_one_refused(tmp_path: Path, picture_folder: Path) -> None:
    large = write_pictures(tmp_path / "large", 4, (32, 32))
    (result,) = evaluate(picture_folder, large, ["fid10_full"], device="cpu")
    assert any("averaged down to 16x16" in warning for warning in result.warnings)
    with pytest.raises(DataError, match=r"are 16x16 pixels .*, expected 32x32 .*limner prepare"):
        evaluate(large, picture_folder, ["msssim_10"], device="cpu")


def test_a_reference_in_colour_is_turned_grey_for_grey_pictures_with_a_note(
    tmp_path: Path, picture_folder: Path
) -> None:
    grey = tmp_path / "grey"
    grey.mkdir()
    for path in picture_folder.glob("*.png"):
        with Image.open(path) as picture:
            picture.convert("L").save(grey / path.name)
    (result,) = evaluate(grey, picture_folder, ["fid10_full"], device="cpu")
    assert "reference 'photos': colour is turned into grey" in result.warnings


def test_empty_mixed_and_broken_folders_are_told_in_a_sentence(tmp_path: Path, picture_folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        evaluate(tmp_path / "empty", picture_folder, ["msssim_10"], device="cpu")
    mixed = Path(shutil.copytree(picture_folder, tmp_path / "mixed"))
    Image.new("RGB", (8, 8)).save(mixed / "small.png")
    with pytest.raises(DataError, match="have 2 sizes"):
        evaluate(mixed, picture_folder, ["msssim_10"], device="cpu")
    broken = Path(shutil.copytree(picture_folder, tmp_path / "broken"))
    content = (broken / "006.png").read_bytes()
    (broken / "006.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cannot read '006.png' of"):
        evaluate(broken, picture_folder, ["fid50k_full"], device="cpu")


def test_fewer_pictures_than_neighbours_are_told(tmp_path: Path, picture_folder: Path) -> None:
    few = write_pictures(tmp_path / "few", 3)
    with pytest.raises(ConfigError, match=r"pr_lite0_3: got 3 pictures in a set, expected more than 3"):
        evaluate(few, picture_folder, ["pr_lite0"], device="cpu")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"metrics": []}, "metrics: got none"),
        ({"metrics": ["fod50k"]}, "unknown metric 'fod50k'.*Did you mean"),
        ({"batch": 0}, "batch: got 0"),
        ({"num": 0}, "got a count of 0"),
        ({"device": "tpu"}, "device: got 'tpu'"),
        ({"metrics": ["ls_20"]}, "needs classifiers of attributes"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tiny_run: Path, picture_folder: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        evaluate(tiny_run, picture_folder, **{"device": "cpu", "metrics": ["fid10_full"], **options})


def test_missing_and_wrong_weights_are_told_with_what_works_instead(
    tiny_run: Path, picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "registry", registry)
    monkeypatch.setitem(registry.FOLDERS, "features", "limner.features")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("LIMNER_WEIGHTS", raising=False)
    with pytest.raises(WeightsError, match=r"weights-inception-2015-12-05-6726825d.pth.*fd_lite0"):
        evaluate(tiny_run, picture_folder, ["fid10_full"], device="cpu")
    wrong = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    wrong.write_bytes(b"other weights")
    with pytest.raises(WeightsError, match=str(wrong)):
        evaluate(tiny_run, picture_folder, ["fid10_full"], weights={"inception": wrong}, device="cpu")


def test_a_run_without_a_snapshot_is_told(tmp_path: Path, tiny_run: Path, picture_folder: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(tiny_run / "config.json", tmp_path / "run")
    with pytest.raises(CheckpointError, match="without a snapshot yet"):
        evaluate(tmp_path / "run", picture_folder, device="cpu")


def test_the_second_time_the_reference_is_not_looked_at(picture_folder: Path, tiny_run: Path, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "own"):
        values = [
            evaluate(tiny_run, picture_folder, ["fid10_full"], cache=folder, device="cpu")[0].value for _ in range(2)
        ]
        assert values[0] == values[1]
    assert len(list((tmp_path / "cache" / "limner" / "metrics").iterdir())) == 1
    assert len(list((tmp_path / "own").iterdir())) == 1


def test_statistics_written_stand_in_for_their_pictures(picture_folder: Path, tiny_run: Path, tmp_path: Path) -> None:
    stats = tmp_path / "stats" / "photos.npz"
    (one,) = evaluate(tiny_run, picture_folder, ["fid10"], num=12, stats_out=stats, device="cpu")
    with np.load(stats, allow_pickle=False) as archive:
        assert archive["sigma"].shape == (12, 12)
    (other,) = evaluate(tiny_run, stats, ["fid12"], device="cpu")
    assert other.value == pytest.approx(one.value, rel=1e-5)
    with pytest.raises(ConfigError, match="statistics are those of a reference"):
        evaluate(tiny_run, picture_folder, ["swd10"], stats_out=stats, device="cpu")
    (tmp_path / "file").write_text("here already")
    with pytest.raises(LimnerError, match="cannot write"):
        evaluate(tiny_run, picture_folder, ["fid10"], stats_out=tmp_path / "file" / "a.npz", device="cpu")


def test_a_control_measures_the_real_pictures(picture_folder: Path, tiny_run: Path) -> None:
    (result,) = evaluate(tiny_run, picture_folder, ["fid50k_full", "ppl2_wend"], control=True, num=6, device="cpu")
    assert (result.num_generated, result.num_real) == (6, 6)
    assert evaluate(tiny_run, picture_folder, ["fid10_full"], control=True, device="cpu") == []
    with pytest.raises(ConfigError, match="a control takes real pictures"):
        evaluate(tiny_run, metrics=["msssim_10"], control=True, device="cpu")


def test_copies_are_shown_beside_what_they_copy(picture_folder: Path, tmp_path: Path) -> None:
    copies = write_pictures(tmp_path / "copies", 3)  # the first pictures of the same random stream
    path = nearest(copies, tmp_path / "sheet.png", picture_folder, num=3, rows=2, device="cpu")
    with Image.open(path) as sheet:
        assert sheet.size == (6 * 18 - 2, 2 * 18 - 2)
        pixels = np.asarray(sheet)
    for top in (0, 18):
        assert np.array_equal(pixels[top : top + 16, :16], pixels[top : top + 16, 18:34])
    with pytest.raises(ConfigError, match="got 0 rows"):
        nearest(copies, path, picture_folder, rows=0, device="cpu")
    with pytest.raises(ConfigError, match="real pictures are searched, got none"):
        nearest(copies, path, device="cpu")


def test_results_are_written_with_what_decided_them(picture_folder: Path, tmp_path: Path) -> None:
    results = evaluate(picture_folder, picture_folder, ["fd_lite0_10"], device="cpu")
    path = write_results(results, tmp_path / "deep" / "results.json", "limner evaluate")
    document = json.loads(path.read_text())
    assert document["command"] == "limner evaluate"
    assert document["results"][0]["networks"]["lite0"]["sha256"] == RANDOM
    (tmp_path / "file").write_text("here already")
    with pytest.raises(LimnerError, match="cannot write"):
        write_results(results, tmp_path / "file" / "results.json")


def test_the_names_are_those_the_runner_knows() -> None:
    assert metric_names() == runner.known()
    assert {"fid50k_full", "fd_lite0"} <= set(metric_names())
    assert all(runner.find(name) for name in evaluation.DEFAULT_METRICS)


def measure_shared(target: str, data: str, cache: str) -> dict[str, float]:
    """Body of one of two processes."""
    networks.registry = type(
        "Registry", (), {"get": lambda *_: type("M", (), {"load": lambda *_, **__: TinyFeatures()})()}
    )()
    names = ["fid10_full", "kd_lite0_10", "swd10", "msssim_10"]
    results = evaluate(target, data, names, device="cpu", cache=cache, batch=2)
    return {name: value for result in results for name, value in result.values.items()}


def test_two_processes_get_what_one_gets(tiny_run: Path, picture_folder: Path, tmp_path: Path) -> None:
    single = measure_shared(str(tiny_run), str(picture_folder), str(tmp_path / "one"))
    both = distributed.launch(2, measure_shared, str(tiny_run), str(picture_folder), str(tmp_path / "two"))
    assert both == pytest.approx(single, rel=1e-9, abs=1e-12)
    assert len(list((tmp_path / "two").iterdir())) == len(list((tmp_path / "one").iterdir())) == 3


def test_one_process_gathers_its_own_state() -> None:
    state = {"a": torch.ones(2)}
    assert gatherer(distributed.Processes(), torch.device("cpu"))(state) == [state]
