"""curves.png."""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

from limner.training import records
from limner.training.callbacks import curve
from limner.training.history import Line, Panel


def test_curves_are_drawn_at_snapshots_and_at_the_end(make_context, make_state, stats):
    context = make_context()
    state = make_state(context, nimg=1000)
    path = context.run_dir / "curves.png"
    records.append(context.run_dir / "log.jsonl", stats(state))
    callback = curve.make(context)
    callback.on_tick(state, stats(state))
    assert not path.exists()
    callback.on_tick(state, stats(state, snapshot=True))
    with Image.open(path) as picture:
        assert picture.width == 1000
    path.unlink()
    callback.on_end(state)
    assert path.exists()


def test_without_records_nothing_is_drawn(make_context, make_state):
    context = make_context()
    curve.make(context).on_end(make_state(context))
    assert not (context.run_dir / "curves.png").exists()


def test_every_line_and_level_is_drawn(tmp_path):
    line = Line(label="G", kimg=(1.0, 2.0, 3.0), values=(1.0, 2.0, 1.5))
    blank = Panel(title="Losses", lines=(Line(label="G", kimg=(1.0, 2.0, 3.0), values=(1.0, 1.0, 1.0)),))

    def colours(panel):
        curve.draw([panel], tmp_path / "curves.png", "run")
        picture = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).reshape(-1, 3)
        return {tuple(colour) for colour in np.unique(picture, axis=0)}

    orange = (255, 127, 14)
    assert orange not in colours(blank)
    assert orange in colours(Panel(title="Losses", lines=(line, line), levels=(("real", 1.2),), from_zero=True))


def test_drawing_leaves_the_global_state_of_matplotlib_alone(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    panel = Panel(title="Losses", lines=(Line(label="G", kimg=(1.0,), values=(1.0,)),))
    curve.draw([panel], tmp_path / "curves.png", "run")
    assert ("matplotlib.pyplot" in sys.modules) == before
