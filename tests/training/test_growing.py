"""Runs that grow: resuming inside a fade, forgetting moments, what is logged and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from limner import registry
from limner.checkpoints.io import read_document
from limner.checkpoints.networks import load_generator
from limner.config import RunConfig, with_changes
from limner.papers.base import Batch, PresetRequest
from limner.training import loop
from training.runs import assert_same_state, run, state_of

ROOMS = {"progan": "progan-tiny", "stylegan": "stylegan-tiny", "stylegan2": "stylegan2-config-d"}
BATCH = 8


def growing(data: Path, iterations: int, room: str = "stylegan", **changes: Any) -> RunConfig:
    """8 to 16 pixels: 4 iterations at 8, 8 iterations of fading, the rest at 16."""
    request = PresetRequest(resolution=(16, 16), batch=BATCH)
    config = registry.get("papers", room).PRESETS[ROOMS[room]].build(request)
    small = {
        "data.path": str(data),
        "generator.channel_max": 8,
        "generator.z_dim": 16,
        "discriminator.channel_max": 8,
        "schedule.stable_kimg": 4 * BATCH / 1000,
        "schedule.fade_kimg": 8 * BATCH / 1000,
        "augment.mode": "ada",
        "augment.p": 0.3,
        "callbacks.names": "",
        "callbacks.tick_kimg": BATCH / 1000,
        "callbacks.snap": 1,
        "total_kimg": iterations * BATCH / 1000,
    } | ({} if room == "progan" else {"generator.w_dim": 16})
    return with_changes(config, small | {name.replace("__", "."): value for name, value in changes.items()})


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("half", [7, 12])
def test_a_run_stopped_inside_or_at_the_end_of_a_fade_goes_on_exactly(
    pictures: Path, tmp_path: Path, room: str, half: int
) -> None:
    expected = run(growing(pictures, 15, room), tmp_path / "whole")
    stopped = run(growing(pictures, half, room), tmp_path / "parts")
    assert stopped["lod"] == pytest.approx((12 - (half - 1)) / 8)
    assert_same_state(run(growing(pictures, 15, room), tmp_path / "parts"), expected)
    assert expected["lod"] == 0


def test_networks_see_pictures_of_the_resolution_being_trained(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, float]] = []
    objective = registry.get("papers", "stylegan").Objective
    loss = objective.loss_D

    def watching(self: Any, batch: Batch) -> dict[str, torch.Tensor]:
        seen.append((batch.images.shape[2], batch.lod))
        return loss(self, batch)

    monkeypatch.setattr(objective, "loss_D", watching)
    run(growing(pictures, 14), tmp_path)
    assert seen[:5] == [(8, 1.0)] * 5
    assert [size for size, _ in seen[5:]] == [16] * 9
    assert [lod for _, lod in seen[5:]] == pytest.approx([7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0])


@pytest.mark.parametrize(
    ("resets", "steps"), [(True, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 1, 2]), (False, range(1, 15))]
)
def test_adam_forgets_where_a_fade_begins_and_ends(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resets: bool, steps: Any
) -> None:
    counts: list[int] = []
    iterate = loop._iterate

    def watching(run: Any, phases: Any) -> None:
        iterate(run, phases)
        counts.append(int(max(value["step"] for value in run.state.optimizers["D"].state.values())))

    monkeypatch.setattr(loop, "_iterate", watching)
    run(growing(pictures, 14, schedule__reset_optimizers=resets), tmp_path)
    assert counts == list(steps)


def test_the_batch_follows_the_resolution(pictures: Path, tmp_path: Path) -> None:
    config = growing(pictures, 14, schedule__batch_by_resolution="8:16,16:8", callbacks__names="log")
    state = run(config, tmp_path)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert records[0]["resolution"] == 8
    assert records[-1]["resolution"] == 16
    assert {record["lod"]: record["alpha"] for record in records}[1.0] == 1.0
    assert state["nimg"] == 112
    assert state["iteration"] == 3 + 8, "48 pictures in threes of 16, then eights"


def test_a_snapshot_remembers_its_level_of_detail(pictures: Path, tmp_path: Path) -> None:
    run(growing(pictures, 8, callbacks__names="snapshots"), tmp_path)
    lod = state_of(tmp_path)["lod"]
    assert 0 < lod < 1
    assert read_document(tmp_path / "snapshots" / "000000")["lod"] == lod
    G = load_generator(tmp_path)
    ws = G.mapping(torch.randn(2, G.z_dim))
    assert G.lod == lod
    assert torch.equal(G.synthesis(ws), G.synthesis(ws, lod=lod))
    assert not torch.equal(G.synthesis(ws), G.synthesis(ws, lod=0.0))


def test_the_twin_trains_at_full_resolution_from_the_start(pictures: Path, tmp_path: Path) -> None:
    state = run(growing(pictures, 2, schedule__grow=False), tmp_path)
    assert state["lod"] == 0
