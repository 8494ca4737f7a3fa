"""Copies of snapshots: what they keep, what half precision rounds, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from inversion.runs import write_encoder
from limner.checkpoints.copies import copy_snapshot
from limner.checkpoints.io import (
    METRICS_NAME,
    find_snapshot,
    load_config,
    network_names,
    read_document,
    read_networks,
    write_snapshot,
)
from limner.checkpoints.networks import load_encoder, load_generator
from limner.errors import CheckpointError


def test_a_copy_holds_every_network_and_the_same_fingerprint(tiny_run: Path, tmp_path: Path) -> None:
    source = find_snapshot(tiny_run)
    identity = copy_snapshot(tiny_run, tmp_path / "copy", half=False)
    assert identity == read_document(source)["fingerprint"] == read_document(tmp_path / "copy")["fingerprint"]
    before, after = (read_networks(place, network_names(source)) for place in (source, tmp_path / "copy"))
    assert before.keys() == after.keys()
    for name in before:
        assert all(torch.equal(before[name][key], after[name][key]) for key in before[name])
    assert read_document(tmp_path / "copy")["kimg"] == read_document(source)["kimg"]


def test_half_precision_keeps_what_using_takes_rounded_once(tiny_run: Path, tmp_path: Path) -> None:
    """A copy of a copy is the copy: rounding is idempotent, and the fingerprint is that of the rounded values."""
    encoder = write_encoder(tmp_path / "encoder", tiny_run)
    identity = copy_snapshot(encoder, tmp_path / "half", half=True)
    assert network_names(tmp_path / "half") == ("encoder", "generator_ema")
    assert copy_snapshot(tmp_path / "half", tmp_path / "again", half=True) == identity
    assert copy_snapshot(tmp_path / "half", tmp_path / "full", half=False) == identity
    assert identity != read_document(find_snapshot(encoder))["fingerprint"]
    full, half = load_generator(encoder).state_dict(), load_generator(tmp_path / "half").state_dict()
    assert all(torch.equal(full[name].half().float(), half[name]) for name in full)
    assert all(tensor.dtype == torch.float32 for tensor in half.values())
    assert load_encoder(tmp_path / "half").fingerprint == identity
    size = (tmp_path / "full" / "encoder.safetensors").stat().st_size
    assert (tmp_path / "half" / "encoder.safetensors").stat().st_size < 0.7 * size


def test_a_copy_names_no_place_of_this_machine(tiny_run: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder", tiny_run)
    copy_snapshot(encoder, tmp_path / "copy", half=True)
    config = load_config(tmp_path / "copy")
    assert config.generator_from is not None
    assert "/" not in config.generator_from.path
    assert str(tmp_path) not in (tmp_path / "copy" / "config.json").read_text()


def test_what_was_measured_goes_along(tiny_run: Path, tmp_path: Path) -> None:
    copy_snapshot(tiny_run, tmp_path / "one", half=False)
    assert not (tmp_path / "one" / METRICS_NAME).exists()
    (tmp_path / "one" / METRICS_NAME).write_text(json.dumps({"swd64": 3.5}))
    copy_snapshot(tmp_path / "one", tmp_path / "two", half=True)
    assert json.loads((tmp_path / "two" / METRICS_NAME).read_text()) == {"swd64": 3.5}


def test_values_too_large_for_half_precision_are_refused_and_nothing_is_left(tiny_run: Path, tmp_path: Path) -> None:
    generator = load_generator(tiny_run)
    generator.w_avg.fill_(1e6)
    write_snapshot(tmp_path / "large", load_config(tiny_run), {"generator_ema": generator}, {})
    with pytest.raises(CheckpointError, match=r"generator_ema\.\S*w_avg' holds 1e\+06, expected at most 65504"):
        copy_snapshot(tmp_path / "large", tmp_path / "half", half=True)
    assert not (tmp_path / "half").exists()
