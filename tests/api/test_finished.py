"""Encoders from the verbs: where the generator is named, what it fixes, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import tiny_config, write_pictures, write_run
from limner.api import RunRequest, configure, info, outcome, train
from limner.checkpoints.io import find_snapshot, read_document, write_document
from limner.cli.train import closing_lines
from limner.config import to_yaml
from limner.errors import CheckpointError, ConfigError, DataError

SMALL = {
    "encoder.channels": 4,
    "encoder.channel_max": 8,
    "objective.perceptual": "none",
    "callbacks.names": "log,reconstructions,snapshots",
    "callbacks.tick_kimg": 0.008,
    "total_kimg": 0.016,
}


def ask(data: Path, generator: Path | None, **request: Any) -> Any:
    """The configuration of an encoder for a generator."""
    asked = {"data": str(data), "preset": "idinvert-tiny", "generator": generator, "batch": 4, "settings": SMALL}
    return configure(RunRequest(**{**asked, **request})).config


def test_the_generator_fixes_sizes_networks_and_identity(picture_folder: Path, tiny_run: Path) -> None:
    config, own = ask(picture_folder, tiny_run), tiny_config("faces.zip")
    assert (config.generator, config.discriminator) == (own.generator, own.discriminator)
    assert config.data.resolution == config.encoder.img_resolution == (16, 16)
    assert (config.encoder.z_dim, config.encoder.w_dim, config.encoder.num_ws) == (16, 16, 6)
    source = config.generator_from
    assert (source.path, source.room) == (str(find_snapshot(tiny_run)), "stylegan2")
    assert source.fingerprint == read_document(find_snapshot(tiny_run))["fingerprint"]


def test_a_run_a_snapshot_and_a_file_name_the_same_generator(picture_folder: Path, tiny_run: Path) -> None:
    snapshot = find_snapshot(tiny_run)
    given = (tiny_run, snapshot, snapshot / "generator_ema.safetensors")
    assert len({ask(picture_folder, path).generator_from.fingerprint for path in given}) == 1


def test_larger_pictures_are_brought_to_the_size_of_the_generator(tmp_path: Path, tiny_run: Path) -> None:
    plan = configure(
        RunRequest(
            data=str(write_pictures(tmp_path / "large", 4, (32, 32))), preset="idinvert-tiny", generator=tiny_run
        )
    )
    assert plan.config.data.resolution == (16, 16)
    assert "16x16" in plan.data_note
    small = write_pictures(tmp_path / "small", 4, (8, 8))
    with pytest.raises(DataError, match=r"are 8x8 pixels.*expected 16x16 or a whole multiple; run: limner prepare"):
        ask(small, tiny_run)


def test_labels_follow_the_generator(class_folder: Path, picture_folder: Path, conditional_run: Path) -> None:
    config = ask(class_folder, conditional_run)
    assert (config.data.cond, config.data.c_dim) == (True, 3)
    with pytest.raises(ConfigError, match=r"length of labels: got 0, expected 3.*give pictures with the labels"):
        ask(picture_folder, conditional_run)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"generator": None}, r"'idinvert-tiny' trains an encoder for a generator that is finished, got none; .*--gen"),
        ({"preset": "stylegan2-tiny"}, r"preset 'stylegan2-tiny' trains its own; name a preset such as idinvert-tiny"),
        (
            {"resolution": (8, 8)},
            r"resolution: got 8x8, expected 16x16, as the generator has it; leave out --resolution",
        ),
        ({"channels": 1}, r"channels: got 1, expected 3, as the generator has it; leave out --channels"),
        ({"settings": {"callbacks.metrics": "swd"}}, r"callbacks.metrics: got swd.*trains an encoder; drop --metrics"),
        ({"generator": Path("nowhere")}, r"'nowhere' does not exist, expected a run folder, a snapshot"),
    ],
)
def test_what_cannot_work_is_refused(
    picture_folder: Path, tiny_run: Path, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises((ConfigError, CheckpointError), match=message):
        ask(picture_folder, **{"generator": tiny_run, **request_})


def test_labels_of_an_unconditional_generator_are_refused(class_folder: Path, tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"length of labels: got 3, expected 0.*leave out --cond"):
        ask(class_folder, tiny_run, cond=True)


def test_a_generator_that_still_grows_is_refused(picture_folder: Path, tiny_run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(find_snapshot(tiny_run), tmp_path / "growing")
    document = read_document(folder)
    write_document(folder, "snapshot", tiny_config("faces.zip"), {**_extra(document), "lod": 1.25})
    with pytest.raises(CheckpointError, match=r"grown up to level of detail 1.25, expected 0.*a later snapshot"):
        ask(picture_folder, folder)


def _extra(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in ("fingerprint", "kimg")}


def test_the_printed_yaml_of_an_encoder_gives_the_same_run(
    picture_folder: Path, tiny_run: Path, tmp_path: Path
) -> None:
    config = ask(picture_folder, tiny_run)
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(config), encoding="utf-8")
    assert configure(RunRequest(files=(file,))).config == config


def test_an_encoder_is_trained_told_and_gone_on_with(picture_folder: Path, tiny_run: Path, tmp_path: Path) -> None:
    request = RunRequest(
        data=str(picture_folder),
        preset="idinvert-tiny",
        generator=tiny_run,
        batch=4,
        settings=SMALL,
        run_dir=tmp_path / "e",
    )
    train(configure(request), tmp_path / "e", device="cpu", quiet=True)
    about = info(tmp_path / "e")
    assert (about["room"], about["kimg"]) == ("idinvert", 0.016)
    assert set(about["networks"]) == {"encoder", "generator_ema", "discriminator"}
    assert about["fingerprint"] == read_document(find_snapshot(tiny_run))["fingerprint"]
    found = outcome(tmp_path / "e")
    assert found.results["pictures"].parent.name == "samples"
    config = configure(request).config
    assert not any("generate" in line for line in closing_lines(found, 0.0, config, str(tmp_path / "e")))

    longer = {**SMALL, "total_kimg": 0.024}
    again = dataclasses.replace(request, settings=longer)
    without = dataclasses.replace(again, generator=None)
    unnamed = dataclasses.replace(without, preset=None, batch=None, settings={"total_kimg": 0.024})
    plans = [configure(each) for each in (again, without, unnamed)]
    assert plans[0].config == plans[1].config == plans[2].config
    assert plans[2].is_resumed
    train(plans[2], tmp_path / "e", device="cpu", quiet=True)
    assert outcome(tmp_path / "e").kimg == 0.024


def test_a_run_that_goes_on_keeps_its_generator(picture_folder: Path, tiny_run: Path, tmp_path: Path) -> None:
    config = ask(picture_folder, tiny_run)
    write_document(tmp_path / "run", "run", config, {"data_fingerprint": ""})
    other = write_run(tmp_path / "other", dataclasses.replace(tiny_config("faces.zip"), seed=3), kimg=1)
    shutil.rmtree(other / "snapshots" / "000001")
    shutil.copytree(find_snapshot(tiny_run), other / "snapshots" / "000001")
    same = configure(RunRequest(generator=other, run_dir=tmp_path / "run"))
    assert same.config == config
    changed = _changed_generator(tmp_path / "changed")
    with pytest.raises(
        ConfigError, match=r"--generator holds generator \w{16}, but the run that goes on .*\w{16}; drop"
    ):
        configure(RunRequest(generator=changed, run_dir=tmp_path / "run"))
    write_document(tmp_path / "gan", "run", tiny_config(picture_folder), {"data_fingerprint": ""})
    with pytest.raises(ConfigError, match=r"but the run that goes on .*its own; drop"):
        configure(RunRequest(generator=tiny_run, run_dir=tmp_path / "gan"))


def _changed_generator(folder: Path) -> Path:
    config = tiny_config("faces.zip")
    return write_run(folder, dataclasses.replace(config, generator=dataclasses.replace(config.generator, w_dim=12)))
