"""Transfer: what fits is taken over, what does not is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from inversion.runs import write_encoder
from limner.checkpoints.io import write_snapshot
from limner.config import RunConfig
from limner.errors import ConfigError
from limner.papers.base import ObjectiveContext
from limner.training.state import TrainingState, initial_state
from limner.training.transfer import take_over
from training.runs import run, tiny

CPU = torch.device("cpu")


def fresh(config: RunConfig) -> TrainingState:
    return initial_state(config, ObjectiveContext(), CPU)


def snapshot(folder: Path, **changes: Any) -> TrainingState:
    """Write the untrained networks of a run with another seed."""
    config = tiny("samples", 1, seed=9, **changes)
    state = fresh(config)
    write_snapshot(
        folder, config, {"generator_ema": state.G_ema, "generator": state.G, "discriminator": state.D}, {"kimg": 1.0}
    )
    return state


def test_networks_of_the_same_shape_are_taken_whole(tmp_path: Path) -> None:
    given = snapshot(tmp_path / "s")
    state = fresh(tiny("samples", 1))
    transfer = take_over(state, tmp_path / "s", "stylegan2", tmp_path)
    for name in ("G", "D", "G_ema"):
        for key, value in getattr(given, name).state_dict().items():
            assert torch.equal(getattr(state, name).state_dict()[key], value), key
    assert transfer.fresh == ()
    assert transfer.notice() == f"fine-tuning: {transfer.num_copied} tensors are taken from {tmp_path / 's'}"
    assert json.loads((tmp_path / "transfer.json").read_text())["num_copied"] == transfer.num_copied


def test_what_does_not_fit_keeps_its_fresh_value_and_is_listed(tmp_path: Path) -> None:
    given = snapshot(tmp_path / "s", generator__w_dim=8)
    state = fresh(tiny("samples", 1))
    before = {key: value.clone() for key, value in state.G.state_dict().items()}
    transfer = take_over(state, tmp_path / "s", "stylegan2", None)
    after, there = state.G.state_dict(), given.G.state_dict()
    listed = {line.split(" ")[0].removeprefix("generator.") for line in transfer.fresh if "generator." in line}
    assert listed == {key for key in after if after[key].shape != there[key].shape}
    assert all(torch.equal(after[key], before[key] if key in listed else there[key]) for key in after)
    assert "generator.w_avg [16] here, [8] there" in transfer.fresh
    assert f"{len(transfer.fresh)} start fresh: " in transfer.notice()
    assert "all listed in transfer.json" in transfer.notice()


def test_tensors_that_have_no_place_are_listed_too(tmp_path: Path) -> None:
    snapshot(tmp_path / "s", generator__mapping_layers=3)
    transfer = take_over(fresh(tiny("samples", 1)), tmp_path / "s", "stylegan2", None)
    assert "generator.mapping_network.fc2.weight [16, 16] there, not here" in transfer.fresh


def test_networks_of_another_room_are_refused(tmp_path: Path) -> None:
    snapshot(tmp_path / "s")
    with pytest.raises(ConfigError, match="networks of room 'stylegan2', expected 'progan'"):
        take_over(fresh(tiny("samples", 1)), tmp_path / "s", "progan", None)


def test_frozen_layers_keep_their_weights_while_the_others_learn(pictures: Path, tmp_path: Path) -> None:
    before = fresh(tiny(pictures, 3)).D
    after = run(tiny(pictures, 3, optimizer__freeze_d=2), tmp_path)["modules"]["D"]
    frozen = {id(p) for layer in before.freezable_layers()[:2] for p in layer.parameters()}
    assert len(frozen) == 4
    for name, parameter in before.named_parameters():
        assert torch.equal(after[name], parameter) == (id(parameter) in frozen), name


def test_more_frozen_layers_than_there_are_is_refused() -> None:
    count = len(fresh(tiny("samples", 1)).D.freezable_layers())
    fresh(tiny("samples", 1, optimizer__freeze_d=count))
    with pytest.raises(ConfigError, match=f"freeze_d: got {count + 1}, expected at most {count}"):
        fresh(tiny("samples", 1, optimizer__freeze_d=count + 1))


def test_the_average_generator_alone_is_enough_and_d_starts_fresh(tmp_path: Path) -> None:
    given = fresh(tiny("samples", 1, seed=9))
    assert given.G_ema is not None
    write_snapshot(tmp_path / "s", tiny("samples", 1), {"generator_ema": given.G_ema}, {"kimg": 1.0}, half=True)
    state = fresh(tiny("samples", 1))
    before = {key: value.clone() for key, value in state.D.state_dict().items()}
    transfer = take_over(state, tmp_path / "s", "stylegan2", None)
    for key, value in given.G_ema.state_dict().items():
        assert torch.equal(state.G.state_dict()[key], value.half().float())
        assert torch.equal(state.G_ema.state_dict()[key], value.half().float())
    assert all(torch.equal(value, before[key]) for key, value in state.D.state_dict().items())
    assert transfer.fresh == ("discriminator: absent there",)
    assert transfer.notice().endswith("1 start fresh: discriminator: absent there")


def test_the_generator_beside_an_encoder_is_taken(tiny_run: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder", tiny_run)
    state = fresh(tiny("samples", 1))
    transfer = take_over(state, encoder, "stylegan2", None)
    assert transfer.num_copied
    with pytest.raises(ConfigError, match="holds networks of room 'stylegan2', expected 'progan'"):
        take_over(state, encoder, "progan", None)
