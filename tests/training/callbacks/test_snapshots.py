"""Snapshots: what is written, kept and dropped."""

from __future__ import annotations

import json

import pytest
import torch

from limner.checkpoints.networks import load_generator
from limner.training.callbacks import snapshots


def take(context, make_state, stats, nimgs, best=None):
    """Run through ticks that end with snapshots; `best` maps nimg to what the metrics then say."""
    state = make_state(context)
    callback = snapshots.make(context)
    callback.on_start(state)
    for nimg in nimgs:
        state.nimg = nimg
        context.shared |= (best or {}).get(nimg, {})
        callback.on_tick(state, stats(state, snapshot=True))
    return state, callback


def names(context):
    return sorted(path.name for path in (context.run_dir / "snapshots").iterdir())


def test_a_snapshot_holds_networks_that_load_again(make_context, make_state, stats):
    context = make_context()
    state, _ = take(context, make_state, stats, [4032])
    folder = context.run_dir / "snapshots" / "000004"
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "config.json",
        "discriminator.safetensors",
        "generator.safetensors",
        "generator_ema.safetensors",
    }
    assert json.loads((folder / "config.json").read_text())["kimg"] == 4.032
    loaded = load_generator(context.run_dir)
    for name, tensor in state.G_ema.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)


def test_ticks_without_a_snapshot_write_nothing(make_context, make_state, stats):
    context = make_context()
    state = make_state(context, nimg=1000)
    snapshots.make(context).on_tick(state, stats(state))
    assert not (context.run_dir / "snapshots").exists()


def test_metrics_lie_beside_the_networks(make_context, make_state, stats):
    context = make_context()
    context.shared["metrics"] = {"swd2k": 12.5}
    take(context, make_state, stats, [1000])
    stored = json.loads((context.run_dir / "snapshots" / "000001" / "metrics.json").read_text())
    assert stored == {"swd2k": 12.5}


def test_the_last_few_are_kept(make_context, make_state, stats):
    context = make_context({"callbacks.keep": 2})
    take(context, make_state, stats, [1000, 2000, 3000, 4000])
    assert names(context) == ["000003", "000004"]


def test_the_best_is_kept_besides(make_context, make_state, stats):
    context = make_context({"callbacks.keep": 1})
    best = {1000: {"best": {"value": 9.0, "kimg": 1.0}}, 3000: {"best": {"value": 5.0, "kimg": 3.008}}}
    take(context, make_state, stats, [1000, 2000, 3008, 4000, 5000], best | {3008: best.pop(3000)})
    assert names(context) == ["000003", "000005"]


def test_nothing_is_deleted_when_the_new_snapshot_fails(make_context, make_state, stats, monkeypatch):
    context = make_context({"callbacks.keep": 1})
    state, callback = take(context, make_state, stats, [1000])
    monkeypatch.setattr(snapshots, "write_snapshot", lambda *args: (_ for _ in ()).throw(OSError("disk full")))
    state.nimg = 2000
    with pytest.raises(OSError, match="disk full"):
        callback.on_tick(state, stats(state, snapshot=True))
    assert names(context) == ["000001"]


def test_snapshots_ahead_of_a_resumed_run_are_left_alone(make_context, make_state, stats):
    context = make_context({"callbacks.keep": 1})
    take(context, make_state, stats, [9000])
    take(make_context({"callbacks.keep": 1}), make_state, stats, [1000, 2000])
    assert names(context) == ["000002", "000009"]


def test_a_stopped_run_leaves_a_snapshot_of_where_it_was(make_context, make_state, stats):
    context = make_context()
    context.shared["metrics"] = {"swd2k": 12.5}
    state, callback = take(context, make_state, stats, [1000])
    state.nimg = 1500
    callback.on_end(state)
    assert names(context) == ["000001"]  # of this kimg there is one
    state.nimg = 2500
    callback.on_end(state)
    assert names(context) == ["000001", "000002"]
    assert not (context.run_dir / "snapshots" / "000002" / "metrics.json").exists()


def test_a_run_stopped_before_it_began_leaves_none(make_context, make_state):
    context = make_context()
    snapshots.make(context).on_end(make_state(context))
    assert not (context.run_dir / "snapshots").exists()
