"""Encoders for finished generators: what is taken from a snapshot, what never moves, and exact resuming."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from limner.checkpoints.io import find_snapshot, read_document, read_networks
from limner.checkpoints.networks import load_encoder, load_generator
from limner.errors import CheckpointError, ConfigError, WeightsError
from limner.features import weights
from limner.training import loop
from limner.training.estimate import estimate
from limner.training.pretrained import start_encoder, take_generator
from training.encoders import fresh, tiny_encoder, write_generator
from training.runs import NUM_CLASSES, assert_same_state, flat, run

CPU = torch.device("cpu")
PARTS: dict[str, Any] = {
    "encoder__norm": "batch",
    "encoder__code_norm": True,
    "augment__mode": "ada",
    "augment__p": 0.3,
    "data__mirror": True,
    "schedule__lr_rampup_kimg": 0.05,
}
"""Changes that put every part of training an encoder to work."""


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generator(tmp_path_factory.mktemp("generator") / "000001")


@pytest.mark.parametrize("preset", ["idinvert-tiny", "conventional-encoder-tiny"])
def test_a_run_in_two_halves_equals_one_in_a_piece(
    pictures: Path, generator: Path, tmp_path: Path, preset: str
) -> None:
    """The second half knows the generator from the state: the snapshot it came from may be gone."""
    lent = tmp_path / "lent"
    shutil.copytree(generator, lent)

    def settings(iterations: int) -> Any:
        config = tiny_encoder(pictures, generator, iterations, preset=preset, **PARTS)
        source = dataclasses.replace(config.generator_from, path=str(lent))
        return dataclasses.replace(config, generator_from=source)

    whole = run(settings(8), tmp_path / "whole")
    assert run(settings(4), tmp_path / "halves")["iteration"] == 4
    shutil.rmtree(lent)
    assert_same_state(run(settings(8), tmp_path / "halves"), whole)


@pytest.mark.parametrize(("preset", "moving"), [("idinvert-tiny", ("E", "D")), ("conventional-encoder-tiny", ("E",))])
def test_the_networks_of_the_phases_move_and_the_generator_never(
    pictures: Path, generator: Path, tmp_path: Path, preset: str, moving: tuple[str, ...]
) -> None:
    config = tiny_encoder(pictures, generator, 3, preset=preset)
    state = fresh(config)
    take_generator(state, config)
    start_encoder(state, config, is_fresh=True)
    first = {name: {k: v.clone() for k, v in module.state_dict().items()} for name, module in state.modules().items()}
    last = run(config, tmp_path / "run")["modules"]
    for name in ("E", "D", "G_ema"):
        changed = [key for key in first[name] if not torch.equal(first[name][key], last[name][key])]
        parameters = dict(getattr(state, name).named_parameters())
        assert set(changed) == (set(parameters) if name in moving else set()), name


def test_d_goes_on_from_the_generator_s_own(pictures: Path, generator: Path) -> None:
    config = tiny_encoder(pictures, generator, 1)
    state = fresh(config)
    take_generator(state, config)
    for key, value in read_networks(generator, ["discriminator"])["discriminator"].items():
        assert torch.equal(state.D.state_dict()[key], value)  # type: ignore[union-attr]


def test_a_snapshot_works_by_itself(pictures: Path, generator: Path, tmp_path: Path) -> None:
    config = tiny_encoder(pictures, generator, 5, callbacks__names="log,reconstructions,snapshots,report")
    run(config, tmp_path / "run")
    shutil.copytree(find_snapshot(tmp_path / "run"), tmp_path / "moved")
    names = {path.name for path in (tmp_path / "moved").iterdir()}
    assert names == {
        "config.json",
        "discriminator.safetensors",
        "encoder.safetensors",
        "generator_ema.safetensors",
    }
    E, G = load_encoder(tmp_path / "moved"), load_generator(tmp_path / "moved")
    for key, value in load_generator(generator).state_dict().items():
        assert torch.equal(G.state_dict()[key], value)
    document = read_document(tmp_path / "moved")
    assert E.fingerprint == document["fingerprint"] == read_document(generator)["fingerprint"]
    assert document["config"]["generator_from"] == {
        "path": str(generator),
        "room": "stylegan2",
        "fingerprint": E.fingerprint,
    }
    assert not E.training
    assert not any(parameter.requires_grad for parameter in E.parameters())
    E.check_generator(G)
    images = torch.zeros(2, 3, 16, 16)
    assert G.synthesis(E(images)).shape == images.shape
    assert "parameters of E" in (tmp_path / "run" / "report.html").read_text()
    ticks = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"loss/E", "loss/D", "pixel_loss", "adversarial_loss", "scores/real", "scores/fake"} <= set(ticks[-1])


def test_a_conventional_snapshot_has_no_discriminator(pictures: Path, generator: Path, tmp_path: Path) -> None:
    config = tiny_encoder(pictures, generator, 1, preset="conventional-encoder-tiny", callbacks__names="snapshots")
    run(config, tmp_path / "run")
    names = {path.stem for path in find_snapshot(tmp_path / "run").glob("*.safetensors")}
    assert names == {"encoder", "generator_ema"}


def test_labels_reach_a_conditional_generator(pictures: Path, tmp_path: Path) -> None:
    generator = write_generator(tmp_path / "g", c_dim=NUM_CLASSES)
    for preset in ("idinvert-tiny", "conventional-encoder-tiny"):
        names = "log,reconstructions,snapshots"
        changes: dict[str, Any] = {"encoder__space": "z", "callbacks__names": names}
        config = tiny_encoder(pictures, generator, 2, preset=preset, c_dim=NUM_CLASSES, **changes)
        run(config, tmp_path / preset)
        assert load_encoder(tmp_path / preset).space == "z"


def test_an_encoder_goes_on_from_another_one(pictures: Path, generator: Path, tmp_path: Path) -> None:
    """From the conventional encoder, which has no D, to the domain-guided one; the average is the new generator's."""
    other = write_generator(tmp_path / "other", seed=3)
    first = tiny_encoder(pictures, other, 3, preset="conventional-encoder-tiny", callbacks__names="snapshots")
    run(first, tmp_path / "first")
    start = load_encoder(tmp_path / "first")
    second = tiny_encoder(pictures, generator, 1, optimizer__g_lr=0.0)
    loop.train(second, tmp_path / "second", device=CPU, quiet=True, init_from=tmp_path / "first")
    last = flat(run(second, tmp_path / "second"))
    for name, parameter in start.named_parameters():
        assert torch.equal(last[f"/modules/E/{name}"], parameter), name
    average = load_generator(generator).w_avg.expand(start.num_ws, start.w_dim)
    assert torch.equal(last["/modules/E/code_avg"], average)


def test_two_encoders_make_one_loss_lower(pictures: Path, generator: Path, tmp_path: Path) -> None:
    for preset in ("idinvert-tiny", "conventional-encoder-tiny"):
        changes: dict[str, Any] = {"objective__adversarial_weight": 0.0, "schedule__lr_decay": 1.0}
        config = tiny_encoder(pictures, generator, 60, preset=preset, callbacks__names="log", **changes)
        run(config, tmp_path / preset)
        ticks = [json.loads(line) for line in (tmp_path / preset / "log.jsonl").read_text().splitlines()]
        assert ticks[-1]["loss/E"] < 0.9 * ticks[0]["loss/E"], preset


def test_a_snapshot_without_d_says_how_to_train_without(pictures: Path, tmp_path: Path) -> None:
    generator = write_generator(tmp_path / "g", with_d=False)
    with pytest.raises(CheckpointError, match=r"no discriminator.safetensors.*objective.adversarial_weight=0"):
        run(tiny_encoder(pictures, generator, 1), tmp_path / "run")
    config = tiny_encoder(pictures, generator, 1, objective__adversarial_weight=0.0)
    assert run(config, tmp_path / "without")["iteration"] == 1


def test_another_generator_in_its_place_is_refused(pictures: Path, tmp_path: Path) -> None:
    config = tiny_encoder(pictures, write_generator(tmp_path / "g"), 1)
    shutil.rmtree(tmp_path / "g")
    write_generator(tmp_path / "g", seed=4)
    with pytest.raises(CheckpointError, match=r"holds generator \w{16}, expected \w{16}, the one this run was set up"):
        run(config, tmp_path / "run")


def test_the_place_of_the_generator_may_change_and_the_generator_may_not(
    pictures: Path, generator: Path, tmp_path: Path
) -> None:
    run(tiny_encoder(pictures, generator, 1), tmp_path / "run")
    shutil.copytree(generator, tmp_path / "elsewhere")
    assert run(tiny_encoder(pictures, tmp_path / "elsewhere", 2), tmp_path / "run")["iteration"] == 2
    other = write_generator(tmp_path / "other", seed=5)
    with pytest.raises(ConfigError, match=r"run of other settings \(generator_from.fingerprint"):
        run(tiny_encoder(pictures, other, 3), tmp_path / "run")


def test_missing_weights_leave_no_folder_behind(
    pictures: Path, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "places", lambda name: [])
    config = tiny_encoder(pictures, generator, 1, objective__perceptual="stlpips")
    with pytest.raises(WeightsError, match=r"objective.perceptual=lite0 or --set objective.perceptual=none"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_cost_is_estimated_without_the_generator_s_weights(pictures: Path, generator: Path) -> None:
    result = estimate(tiny_encoder(pictures, generator, 1), CPU, steps=1)
    assert list(result.phase_sec) == ["E", "D"]
    assert list(result.num_parameters) == ["E", "D"]
