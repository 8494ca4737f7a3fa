"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import sys

import pytest

from limner.training.callbacks import tensorboard
from limner.training.callbacks.base import Callback

reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(run_dir):
    events = reader.EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_statistics_are_written_at_their_images(make_context, make_state, stats):
    context = make_context()
    state = make_state(context)
    callback = tensorboard.make(context)
    callback.on_start(state)
    for nimg in (1000, 2000):
        state.nimg = nimg
        callback.on_tick(state, stats(state, loss__G=nimg / 1000))
    callback.on_end(state)
    found = scalars(context.run_dir)
    assert found["loss/G"] == [(1000, 1.0), (2000, 2.0)]
    assert "run/images_per_sec" in found
    assert not any("kimg" in tag and tag != "run/sec_per_kimg" for tag in found)


def test_metrics_are_written_once_at_the_snapshot_they_belong_to(make_context, make_state, stats):
    context = make_context()
    state = make_state(context, nimg=1000)
    callback = tensorboard.make(context)
    callback.on_start(state)
    callback.on_tick(state, stats(state, snapshot=True))
    context.shared["metrics"] = {"swd2k": 40.0}
    for nimg in (2000, 3000):
        state.nimg = nimg
        callback.on_tick(state, stats(state, snapshot=nimg == 3000))
    context.shared["metrics"] = {"swd2k": 30.0}
    callback.on_end(state)
    assert scalars(context.run_dir)["metrics/swd2k"] == [(1000, 40.0), (3000, 30.0)]


def test_resuming_supersedes_what_lies_ahead(make_context, make_state, stats):
    context = make_context()
    for start, value in ((0, 1.0), (1000, 2.0)):
        state = make_state(context, nimg=start)
        callback = tensorboard.make(context)
        callback.on_start(state)
        for nimg in range(start + 1000, 3001, 1000):
            state.nimg = nimg
            callback.on_tick(state, stats(state, loss__G=value))
        callback.on_end(state)
    assert scalars(context.run_dir)["loss/G"] == [(1000, 1.0), (2000, 2.0), (3000, 2.0)]


def test_without_tensorboard_nothing_is_written(make_context, make_state, stats, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    context = make_context()
    callback = tensorboard.make(context)
    assert type(callback) is Callback
    assert not (context.run_dir / "tensorboard").exists()
