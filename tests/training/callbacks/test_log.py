"""log.jsonl."""

from __future__ import annotations

import time

from limner.training import records
from limner.training.callbacks import log


def test_a_tick_is_one_record_with_all_statistics(make_context, make_state, stats):
    context = make_context()
    state = make_state(context, nimg=3000)
    log.make(context).on_tick(state, stats(state))
    (record,) = records.read(context.run_dir / "log.jsonl")
    assert record["kimg"] == 3.0
    assert record["tick"] == 3
    assert record["loss/G"] == 0.934
    assert abs(record["time"] - time.time()) < 60


def test_resuming_drops_the_ticks_ahead_of_the_state(make_context, make_state, stats):
    context = make_context()
    for nimg in (1000, 2000, 3000):
        state = make_state(context, nimg=nimg)
        log.make(context).on_tick(state, stats(state))
    log.make(context).on_start(make_state(context, nimg=2000))
    assert [record["kimg"] for record in records.read(context.run_dir / "log.jsonl")] == [1.0, 2.0]


def test_a_fresh_start_has_an_empty_log(make_context, make_state, stats):
    context = make_context()
    state = make_state(context, nimg=1000)
    log.make(context).on_tick(state, stats(state))
    log.make(context).on_start(make_state(context))
    assert records.read(context.run_dir / "log.jsonl") == []
