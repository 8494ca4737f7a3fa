"""Checkpoints of other programs become snapshots that every verb takes, and snapshots become files of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from limner import api
from limner.api.conversion import convert
from limner.checkpoints.io import network_names, read_networks
from limner.errors import CheckpointError, ConfigError
from papers.stylegan2.published_maps_community import rosinality_discriminator, rosinality_generator


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file of rosinality with all networks."""
    content = {"g": rosinality_generator(1), "g_ema": rosinality_generator(2), "d": rosinality_discriminator(3)}
    return write_torch(tmp_path / "foreign.pt", {**content, "latent_avg": torch.zeros(7)})


def test_a_converted_checkpoint_is_a_snapshot_with_its_source_and_licence(foreign: Path, tmp_path: Path) -> None:
    converted = convert(foreign, tmp_path / "ours")
    assert (converted.path, converted.notes) == (tmp_path / "ours", ())
    assert converted.what == "stylegan2 of rosinality (g_ema, g, d)"
    document = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert document["source"]["file"] == "foreign.pt"
    assert document["licence"] == converted.licence
    about = api.info(tmp_path / "ours")
    assert (about["kind"], about["resolution"], len(about["networks"])) == ("snapshot", [16, 16], 3)
    assert len(api.generate(tmp_path / "ours", tmp_path / "pictures", seeds="0,1", truncation_psi=0.7)) == 2


def test_a_snapshot_written_for_nvidia_comes_back_bit_for_bit(tiny_run: Path, tmp_path: Path) -> None:
    assert convert(tiny_run, tmp_path / "x.pkl", to="nvidia").path == tmp_path / "x.pkl"
    convert(tmp_path / "x.pkl", tmp_path / "again")
    names = ("generator_ema", "generator", "discriminator")
    before, after = read_networks(tiny_run, names), read_networks(tmp_path / "again", names)
    for name in names:
        assert before[name].keys() == after[name].keys()
        assert all(torch.equal(before[name][key], after[name][key]) for key in before[name])
    before_pictures = api.load(tiny_run, "cpu").sample([3], truncation_psi=0.5)
    assert (
        api.load(tmp_path / "again", "cpu").sample([3], truncation_psi=0.5)[0].tobytes() == before_pictures[0].tobytes()
    )


def test_nothing_is_overwritten(foreign: Path, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.pkl").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        convert(foreign, tmp_path / "full")
    with pytest.raises(ConfigError, match="is there already"):
        convert(foreign, foreign)
    with pytest.raises(ConfigError, match="is there already"):
        convert(tiny_run, tmp_path / "full" / "x.pkl", to="nvidia")
    (tmp_path / "empty").mkdir()
    assert (convert(foreign, tmp_path / "empty").path / "config.json").is_file()


def test_a_wrong_ending_and_an_unknown_program_are_said(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a name ending in \.pt for rosinality"):
        convert(tiny_run, tmp_path / "x.pkl", to="rosinality")
    with pytest.raises(ConfigError, match=r"to: got 'nvidea'.* Did you mean 'nvidia'"):
        convert(tiny_run, tmp_path / "x.pkl", to="nvidea")  # type: ignore[arg-type]


def test_a_file_that_is_no_checkpoint_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.")
    with pytest.raises(CheckpointError, match=r"asks for os\.system"):
        convert(tmp_path / "x.pkl", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pkl"]


def test_a_snapshot_is_copied_in_full_or_half_precision(tiny_run: Path, foreign: Path, tmp_path: Path) -> None:
    assert convert(tiny_run, tmp_path / "half", half=True).what == "snapshot of limner"
    assert network_names(tmp_path / "half") == ("generator_ema",)
    assert len(api.generate(tmp_path / "half", tmp_path / "pictures", seeds="0,1")) == 2
    convert(tmp_path / "half", tmp_path / "full")
    before, after = (api.load(tmp_path / name, "cpu").sample([3])[0].tobytes() for name in ("half", "full"))
    assert before == after
    assert convert(foreign, tmp_path / "small", half=True).what == "stylegan2 of rosinality (g_ema, g, d)"
    assert network_names(tmp_path / "small") == ("generator_ema",)
    with pytest.raises(ConfigError, match="only snapshots are written in half precision"):
        convert(tiny_run, tmp_path / "x.pkl", to="nvidia", half=True)
    with pytest.raises(CheckpointError, match="'nowhere' does not exist"):
        convert("nowhere", tmp_path / "copy")
