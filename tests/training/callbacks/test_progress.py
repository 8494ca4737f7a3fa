"""The progress bar and the lines that stand in for it."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from limner.training.callbacks import progress
from limner.training.callbacks.base import Callback


def make_bar(context, width=100):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    return progress.ProgressBar(context, console), out


def test_a_line_says_where_training_is(make_context, make_state, stats, monkeypatch, capsys):
    monkeypatch.setattr(progress, "peak_memory_mb", lambda: 812.3)
    context = make_context()
    state = make_state(context, nimg=3000)
    progress.make(context).on_tick(state, stats(state))
    assert capsys.readouterr().out == (
        "tick 3  kimg 3.0  12m 05s  sec/kimg 21.2  img/s 47.2  loss G 0.93 D 1.21  p 0.000  mem 812 MB  left 6m 00s\n"
    )


def test_growing_and_waiting_for_data_are_mentioned(make_context, make_state, stats):
    state = make_state(make_context(), nimg=3000)
    plain = progress.tick_line(state, stats(state), 20.0)
    assert "lod" not in plain
    assert "waiting" not in plain
    line = progress.tick_line(state, stats(state, resolution=16.0, lod=2.5, alpha=0.25, data_wait=0.08), 20.0)
    assert "  res 16  lod 2.50  alpha 0.25  waiting for data 8%  mem" in line


def test_losses_that_a_run_does_not_have_are_left_out(make_state, make_context, stats):
    state = make_state(make_context())
    values = {key: value for key, value in stats(state).items() if not key.startswith("loss")}
    assert "loss" not in progress.tick_line(state, values, 20.0)


def test_without_a_terminal_there_are_lines_and_with_quiet_nothing(make_context):
    assert isinstance(progress.make(make_context()), progress.TickLines)
    assert type(progress.make(make_context(quiet=True))) is Callback


def test_a_terminal_gets_a_bar(make_context, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(progress.make(make_context()), progress.ProgressBar)


def test_the_bar_advances_with_every_step_and_shows_the_pace_before_the_first_tick(make_context, make_state):
    bar, out = make_bar(make_context())
    state = make_state(bar.context, nimg=5000)
    bar.on_start(state)
    state.nimg = 10000
    bar.on_step(state)
    bar.on_end(state)
    assert re.search(r"10\.0/20 kimg [\d.e+]+ img/s .* left", out.getvalue())


def test_the_bar_shows_the_numbers_of_the_last_tick_and_counts_down_from_it(make_context, make_state, stats):
    bar, out = make_bar(make_context())
    state = make_state(bar.context)
    bar.on_start(state)
    state.nimg = 1000
    bar.on_tick(state, stats(state))
    state.nimg = 10000
    bar.on_step(state)
    bar.on_end(state)
    text = out.getvalue()
    assert "10.0/20 kimg 47.2 img/s  loss G 0.93 D 1.21  p 0.000 3m 32s left" in text  # 10 x 21.17 s
    assert "tick" not in text


def test_ticks_with_a_snapshot_stay_above_the_bar(make_context, make_state, stats):
    bar, out = make_bar(make_context())
    state = make_state(bar.context)
    bar.on_start(state)
    state.nimg, state.tick = 2000, 2
    bar.on_tick(state, stats(state, snapshot=True))
    bar.on_end(state)
    assert "tick 2  kimg 2.0  12m 05s" in out.getvalue()


def test_the_terminal_gets_its_cursor_back_when_training_ends_with_an_error(make_context, make_state, monkeypatch):
    registered = []
    monkeypatch.setattr(progress.atexit, "register", registered.append)
    bar, out = make_bar(make_context())
    bar.on_start(make_state(bar.context))
    (restore,) = registered
    restore()
    assert out.getvalue().rstrip("\n").endswith("\x1b[?25h")


@pytest.mark.parametrize("width", [40, 80])
def test_the_bar_fits_the_terminal(make_context, make_state, stats, width):
    bar, out = make_bar(make_context(), width)
    state = make_state(bar.context)
    bar.on_start(state)
    bar.on_tick(state, stats(state))
    bar.on_end(state)
    lines = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
