"""Snapshots pushed to the hub and pulled from it, with a stand-in for huggingface_hub."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml

from checkpoints.fake_hub import FakeHub, HTTPError, HubError, install
from limner.checkpoints.hub import card, pull, push
from limner.checkpoints.io import find_snapshot, load_config, read_document
from limner.checkpoints.networks import load_generator
from limner.errors import CheckpointError, MissingExtraError


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return install(tmp_path / "hub", monkeypatch)


def test_a_snapshot_that_is_pushed_and_pulled_is_the_same(hub: FakeHub, tiny_run: Path, tmp_path: Path) -> None:
    assert push(tiny_run, "ann/faces", private=True) == "https://hub.example/ann/faces"
    assert hub.made == {"ann/faces": True}
    assert hub.commits == ["Add a snapshot of stylegan2-tiny"]
    assert pull("ann/faces", tmp_path / "faces") == tmp_path / "faces"
    before, after = load_generator(tiny_run), load_generator(tmp_path / "faces")
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    held = {path.name for path in find_snapshot(tiny_run).iterdir()}
    assert {path.name for path in (tmp_path / "faces").iterdir()} == held | {"README.md"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "hub"]


def test_only_files_that_can_execute_nothing_are_pulled(hub: FakeHub, tiny_run: Path, tmp_path: Path) -> None:
    push(tiny_run, "ann/faces")
    for name in ("evil.pkl", "setup.py", "weights.pt"):
        (hub.root / "ann/faces" / name).write_bytes(b"code")
    pull("ann/faces", tmp_path / "faces")
    assert {path.suffix for path in (tmp_path / "faces").iterdir()} == {".safetensors", ".json", ".md"}


def test_a_revision_is_pulled_by_its_name(hub: FakeHub, tiny_run: Path, tmp_path: Path) -> None:
    push(tiny_run, "ann/faces/old")
    assert load_config(pull("ann/faces", tmp_path / "faces", revision="old")).preset == "stylegan2-tiny"


def test_the_card_says_what_it_is_where_it_comes_from_and_how_it_is_used(tiny_run: Path) -> None:
    config, document = load_config(tiny_run), read_document(find_snapshot(tiny_run))
    _, front, text = card("ann/faces", config, document, ("generator_ema",)).split("---\n", 2)
    assert yaml.safe_load(front)["tags"] == ["gan", "stylegan2"]
    assert "preset `stylegan2-tiny`, 16x16 pixels, 2 kimg: generator_ema" in text
    assert "$ limner pull ann/faces checkpoint" in text
    assert "Licence" not in text
    source = {"file": "ffhq.pkl", "program": "NVIDIA, PyTorch", "sha256": "0123"}
    converted = {"source": source, "licence": "NVIDIA's, non-commercial"}
    _, front, text = card("ann/faces", config, converted, ("generator_ema",)).split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    assert "Converted from `ffhq.pkl` (NVIDIA, PyTorch), sha256 `0123`." in text
    assert "Licence of these weights: NVIDIA's, non-commercial." in text


def test_a_repository_of_something_else_leaves_nothing(hub: FakeHub, tmp_path: Path) -> None:
    (hub.root / "ann/words").mkdir(parents=True)
    (hub.root / "ann/words" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="ann/words holds no snapshot that 'limner push' wrote"):
        pull("ann/words", tmp_path / "words")
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_a_folder_in_use_is_refused_before_anything_is_pulled(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    with pytest.raises(CheckpointError, match="is there already"):
        pull("ann/faces", tmp_path / "full")


@pytest.mark.parametrize(
    "failure", [HubError("401 Unauthorized\nmore"), HTTPError("no answer"), ValueError("bad name")]
)
def test_what_the_hub_refuses_is_one_sentence(hub: FakeHub, tiny_run: Path, tmp_path: Path, failure: Exception) -> None:
    hub.failure = failure
    first = str(failure).splitlines()[0]
    with pytest.raises(CheckpointError, match=f"ann/faces could not be pushed to the hub: {first}; check the name"):
        push(tiny_run, "ann/faces")
    with pytest.raises(CheckpointError, match=f"ann/faces could not be pulled from the hub: {first}; check the name"):
        pull("ann/faces", tmp_path / "faces")


def test_an_absent_library_is_named_with_its_extra(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for action in (lambda: push(tiny_run, "ann/faces"), lambda: pull("ann/faces", tmp_path / "faces")):
        with pytest.raises(MissingExtraError, match=r"pip install 'limner\[hub\]'"):
            action()
