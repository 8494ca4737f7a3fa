"""Networks of snapshots, ready for use; that their files are checked is tested with the format (`test_io`)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from checkpoints.official.foreign_files import write_torch
from inversion.runs import write_encoder
from limner.checkpoints.io import find_snapshot, load_config, read_document
from limner.checkpoints.networks import finished_generator, load_classifier, load_encoder, load_generator
from limner.errors import CheckpointError
from papers.stylegan2.published_maps_community import rosinality_generator


def test_loading_leaves_the_random_numbers_alone(tiny_run: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_generator(tiny_run)
    assert torch.equal(torch.rand(4), expected)


def test_a_loaded_network_is_for_use_alone(tiny_run: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder", tiny_run)
    for network in (load_generator(tiny_run), load_encoder(encoder), load_generator(encoder)):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_an_encoder_knows_its_generator(tiny_run: Path, tmp_path: Path) -> None:
    encoder = load_encoder(write_encoder(tmp_path / "encoder", tiny_run))
    assert encoder.fingerprint == read_document(find_snapshot(tiny_run))["fingerprint"]


def test_a_snapshot_without_what_is_asked_for_says_how_to_train_it(tiny_run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no encoder, but .*generator_ema.*train --preset idinvert-"):
        load_encoder(tiny_run)
    with pytest.raises(CheckpointError, match=r"holds no classifier, but .*generator_ema.*train --preset classifier-"):
        load_classifier(tiny_run)


def test_what_an_encoder_has_to_know_of_a_generator_is_told(tiny_run: Path) -> None:
    config, G = load_config(tiny_run), load_generator(tiny_run)
    known = finished_generator(tiny_run)
    assert (known.generator, known.discriminator) == (config.generator, config.discriminator)
    assert (known.z_dim, known.w_dim, known.num_ws) == (G.z_dim, G.w_dim, G.num_ws)
    folder = find_snapshot(tiny_run)
    assert (known.source.path, known.source.room) == (str(folder), config.room)
    assert known.source.fingerprint == read_document(folder)["fingerprint"]


def test_a_finished_generator_of_another_program_is_named_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot made of it lies in a cache, which may be deleted before an encoder's run goes on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write_torch(tmp_path / "x.pt", {"g_ema": rosinality_generator(0), "latent_avg": torch.zeros(7)})
    known = finished_generator(file)
    assert known.source.path == str(file)
    shutil.rmtree(tmp_path / "cache")
    assert finished_generator(known.source.path) == known
