"""Metrics at snapshots."""

from __future__ import annotations

import dataclasses

import pytest

from limner.errors import ConfigError, WeightsError
from limner.metrics import runner
from limner.metrics.base import Result
from limner.training import records
from limner.training.callbacks import evaluate
from limner.training.callbacks.base import Callback

ONE = {"callbacks.metrics": "[swd2k]"}
TWO = {"callbacks.metrics": "[swd2k, swd]"}


def result(name, value):
    return Result(
        name=name,
        values={name: value},
        lower_is_better=True,
        seed=0,
        num_real=8,
        num_generated=8,
        real="data",
        generated="generator",
        mirror=False,
        networks={},
        version=1,
        seconds=1.0,
    )


@pytest.fixture
def scripted(monkeypatch):
    """Replace the computation: `scripted[name]` is a list of values or errors to come."""
    script = {}

    def run(names, *args, **kwargs):
        results = []
        for name in names:
            outcome = script[name].pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            results.append(result(name, outcome))
        return results

    monkeypatch.setattr(evaluate.runner, "evaluate", run)
    monkeypatch.setattr(evaluate.runner, "control", lambda names, *_, **__: [result(name, 5.0) for name in names])
    return script


def run_snapshots(context, make_state, stats, nimgs, start=0):
    state = make_state(context, nimg=start)
    callback = evaluate.make(context)
    callback.on_start(state)
    for nimg in nimgs:
        state.nimg = nimg
        callback.on_tick(state, stats(state, snapshot=True))
    return records.read(context.run_dir / "metrics.jsonl")


def test_a_run_without_metrics_evaluates_nothing(make_context):
    assert type(evaluate.make(make_context())) is Callback


def test_an_unknown_metric_is_refused_before_training(make_context):
    with pytest.raises(ConfigError, match="unknown metric 'swb2k'"):
        evaluate.make(make_context({"callbacks.metrics": "[swb2k]"}))


def test_missing_weights_are_told_before_training(make_context, monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "TORCH_HOME", "LIMNER_WEIGHTS"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(WeightsError, match="fd_lite0"):
        evaluate.make(make_context({"callbacks.metrics": "[fid50k_full]"}))


def test_the_moving_average_is_measured_and_recorded(make_context, make_state, stats, monkeypatch, capsys):
    """End to end, with fewer pictures."""
    real = evaluate.runner.evaluate
    measured = []

    def fewer(names, generated, *args, **kwargs):
        measured.append(generated.generator)
        found = real(names, generated, *args, num=8, **kwargs)
        return [dataclasses.replace(r, name="swd2k", values={"swd2k": r.value}) for r in found]

    monkeypatch.setattr(evaluate.runner, "evaluate", fewer)
    context = make_context(ONE)
    state = make_state(context, nimg=1000)
    callback = evaluate.make(context)
    callback.on_start(state)
    callback.on_tick(state, stats(state, snapshot=True))
    assert measured == [state.G_ema]
    (control, record) = records.read(context.run_dir / "metrics.jsonl")
    assert control["control"] is True
    assert control["metrics"] == {}  # 24 pictures are too few for two sets of 2,048
    assert record["metrics"]["swd2k"] == context.shared["metrics"]["swd2k"] > 0
    assert record["protocols"]["swd2k"]["num_generated"] == 8
    assert record["seconds"] > 0
    assert capsys.readouterr().out.startswith("swd2k ")


def test_only_ticks_with_a_snapshot_are_measured(make_context, make_state, stats, scripted):
    context = make_context(ONE)
    state = make_state(context, nimg=1000)
    callback = evaluate.make(context)
    callback.on_start(state)
    callback.on_tick(state, stats(state))
    assert not (context.run_dir / "metrics.jsonl").exists()


def test_the_control_is_measured_once_in_a_run(make_context, make_state, stats, scripted):
    scripted["swd2k"] = [30.0, 20.0, 10.0]
    run_snapshots(make_context(ONE), make_state, stats, [1000, 2000])
    found = run_snapshots(make_context(ONE), make_state, stats, [3000], start=2000)
    assert [record.get("control", False) for record in found] == [True, False, False, False]
    assert found[0]["metrics"] == {"swd2k": 5.0}


def test_the_best_snapshot_has_the_lowest_value(make_context, make_state, stats, scripted):
    scripted["swd2k"] = [30.0, 20.0, 25.0]
    context = make_context(ONE)
    run_snapshots(context, make_state, stats, [1000, 2000, 3000])
    assert context.shared["best"] == {"value": 20.0, "kimg": 2.0}
    assert context.shared["metrics"] == {"swd2k": 25.0}


def test_a_metric_that_should_rise_is_best_at_its_highest(make_context, make_state, stats, scripted, monkeypatch):
    rising = dataclasses.replace(runner.find("swd2k"), lower_is_better=False)
    monkeypatch.setattr(evaluate.runner, "find", lambda name: rising)
    scripted["swd2k"] = [30.0, 20.0]
    context = make_context(ONE)
    run_snapshots(context, make_state, stats, [1000, 2000])
    assert context.shared["best"] == {"value": 30.0, "kimg": 1.0}


def test_resuming_keeps_the_best_and_drops_values_ahead(make_context, make_state, stats, scripted):
    scripted["swd2k"] = [30.0, 20.0, 25.0]
    run_snapshots(make_context(ONE), make_state, stats, [1000, 2000])
    context = make_context(ONE)
    state = make_state(context, nimg=1000)
    state.best = {"value": 30.0, "kimg": 1.0}
    callback = evaluate.make(context)
    callback.on_start(state)
    assert context.shared["best"] == {"value": 30.0, "kimg": 1.0}
    state.nimg = 1500
    callback.on_tick(state, stats(state, snapshot=True))
    found = [record["kimg"] for record in records.read(context.run_dir / "metrics.jsonl")]
    assert found == [1.0, 1.0, 1.5]
    assert state.best == {"value": 30.0, "kimg": 1.0}  # a callback does not change the state


def test_a_metric_that_fails_is_reported_and_training_goes_on(make_context, make_state, stats, scripted, capsys):
    scripted["swd2k"] = [30.0, RuntimeError("out of memory\nsecond line"), 20.0]
    context = make_context(ONE)
    found = run_snapshots(context, make_state, stats, [1000, 2000])
    assert found[-1]["errors"] == {"swd2k": "RuntimeError: out of memory"}
    assert "metrics" not in context.shared
    assert context.shared["best"]["kimg"] == 1.0
    assert capsys.readouterr().err == "metric swd2k failed: RuntimeError: out of memory; training goes on\n"


def test_a_metric_that_fails_does_not_take_the_others_with_it(make_context, make_state, stats, scripted):
    scripted["swd2k"] = [30.0, 30.0]
    scripted["swd"] = [RuntimeError("too few"), RuntimeError("too few")]
    context = make_context(TWO)
    found = run_snapshots(context, make_state, stats, [1000])
    assert found[-1]["metrics"] == {"swd2k": 30.0}
    assert found[-1]["errors"] == {"swd": "RuntimeError: too few"}
    assert context.shared["best"]["value"] == 30.0


def test_a_failing_first_metric_leaves_the_best_alone(make_context, make_state, stats, scripted):
    scripted["swd2k"] = [ValueError("no"), ValueError("no")]
    scripted["swd"] = [3.0]
    context = make_context(TWO)
    run_snapshots(context, make_state, stats, [1000])
    assert "best" not in context.shared
    assert context.shared["metrics"] == {"swd": 3.0}


def test_a_name_with_the_usual_count_is_the_usual_name(make_context, make_state, stats, scripted):
    scripted["swd"] = [3.0]
    context = make_context({"callbacks.metrics": "[swd16k]"})
    run_snapshots(context, make_state, stats, [1000])
    assert context.shared["best"]["value"] == 3.0
