"""The report of a run, as a browser would get it."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from limner.training import records
from limner.training.callbacks import log, report, samples

VOID = {"meta", "link", "img", "input", "br"}


class Checker(HTMLParser):
    """Collects text and addresses, and fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(run_dir):
    """Return the text of a report after checking that it is one well-formed file that asks for nothing."""
    html = (run_dir / "report.html").read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert all(address.startswith("data:") for address in checker.addresses)
    assert not re.search(r"https?://|@import|url\(", html)
    assert len(html) < 3_000_000
    return " ".join(" ".join(checker.text).split())


@pytest.fixture
def train(make_context, make_state, stats):
    """Go through a run of callbacks without training."""

    def go(ticks, changes=None, **more):
        context = make_context(changes, **more)
        state = make_state(context)
        callbacks = [module.make(context) for module in (log, samples, report)]
        for callback in callbacks:
            callback.on_start(state)
        for tick in range(1, ticks + 1):
            state.nimg, state.tick = tick * 1000, tick
            for callback in callbacks:
                callback.on_tick(state, stats(state, snapshot=tick % 2 == 0, loss__G=1 / tick))
        return context, state, callbacks

    return go


def test_the_first_page_is_whole_before_the_first_tick(train):
    context, *_ = train(0)
    text = check(context.run_dir)
    assert "0 of 20 kimg" in text
    assert "training" in text
    assert "Real pictures" in text
    assert "Curves" not in text


def test_one_tick_makes_a_whole_page(train):
    context, state, callbacks = train(1)
    for callback in callbacks:
        callback.on_end(state)
    text = check(context.run_dir)
    assert "1 of 20 kimg" in text
    assert "stopped" in text
    assert "Losses" in text


def test_the_page_follows_the_run(train):
    context, state, callbacks = train(20)
    assert "20 of 20 kimg" in check(context.run_dir)
    for callback in callbacks:
        callback.on_end(state)
    text = check(context.run_dir)
    assert "complete" in text
    assert "Before and after" in text
    html = (context.run_dir / "report.html").read_text()
    assert html.count("data:image/") == 11 + 2  # grids at 0, 2, ... 20 kimg; before and after, real pictures


def test_settings_show_what_differs_from_the_preset(train):
    context, *_ = train(0, {"objective.r1_gamma": 7.5})
    text = check(context.run_dir)
    different = text[text.index("Different from the preset") : text.index("All settings")]
    assert re.search(r"objective\.r1_gamma \S+ → 7\.5", different)
    assert "optimizer.beta1" not in different
    assert "optimizer.beta1" in text


def test_an_unknown_preset_is_said_to_be_unknown(train, make_context):
    config = make_context().config
    assert report.preset_difference(dataclasses.replace(config, preset="mine")) is None


def test_metrics_show_the_control_the_best_and_errors(train):
    context, state, callbacks = train(0, {"callbacks.metrics": "[swd2k]"})
    path = context.run_dir / "metrics.jsonl"
    records.append(path, {"kimg": 2.0, "control": True, "metrics": {"swd2k": 5.9}})
    records.append(path, {"kimg": 2.0, "metrics": {"swd2k": 41.25}})
    records.append(path, {"kimg": 4.0, "metrics": {}, "errors": {"swd2k": "RuntimeError: <gone>"}})
    context.shared["best"] = {"value": 41.25, "kimg": 2.0}
    callbacks[-1].on_end(state)
    text = check(context.run_dir)
    assert "real pictures 5.9" in text
    assert "2 (best) 41.25" in text
    assert "swd2k: RuntimeError: <gone>" in text
    assert "best swd2k 41.25 at 2 kimg" in text


def test_command_and_environment_are_on_the_page_and_escaped(train, make_context):
    run_dir = make_context().run_dir
    (run_dir / "command.txt").write_text("limner train --out 'a <b> & c'\n")
    context, *_ = train(0)
    text = check(context.run_dir)
    assert "limner train --out 'a <b> & c'" in text
    assert "torch" in text
    assert "parameters of G" in text


def test_augmented_pictures_are_on_the_page(train):
    context, *_ = train(0, augment=lambda images: -images)
    assert "Augmented real pictures" in check(context.run_dir)
