"""Values and sections of the page."""

from __future__ import annotations

import pytest

from limner.training.callbacks.report import page
from limner.training.callbacks.report.pictures import Album


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0025, "0.0025"),
        (25000.0, "25000"),
        (None, "none"),
        ("", "none"),
        ([64, 48], "64, 48"),
        ([], "none"),
        (True, "True"),
    ],
)
def test_values_read_well(value, text):
    assert page.value_text(value) == text


def make_page(**changes):
    fields = {
        "title": "run <1>",
        "subtitle": "",
        "status": "training",
        "progress": 0.25,
        "updated": "now",
        "command": "",
        "facts": [("time", "1 & 2")],
        "album": Album(timeline=(), others=()),
        "panels": [],
        "evaluations": [],
        "best_kimg": None,
        "differences": [],
        "settings": [("seed", "0")],
        "environment": [],
    }
    return page.Page(**{**fields, **changes})


def test_sections_without_content_are_left_out():
    html = page.render(make_page())
    assert "<h2>Settings</h2>" in html
    for title in ("Samples", "Curves", "Metrics"):
        assert f"<h2>{title}</h2>" not in html
    assert "All as in the preset" in html
    assert "<pre" not in html


def test_names_are_escaped():
    html = page.render(make_page())
    assert "run <1>" not in html
    assert html.count("run &lt;1&gt;") == 2
    assert "1 &amp; 2" in html


def test_an_unknown_preset_is_said_to_be_unknown():
    assert "preset of this run is not known" in page.render(make_page(differences=None))


def test_the_newest_evaluation_comes_first_below_the_control():
    evaluations = [
        {"kimg": 1.0, "metrics": {"swd": 3.0}},
        {"kimg": 1.0, "control": True, "metrics": {"swd": 1.0}},
        {"kimg": 2.0, "metrics": {"swd": 2.0}},
    ]
    html = page.render(make_page(evaluations=evaluations, best_kimg=2.0))
    places = [html.index(text) for text in ("<th>real pictures</th>", "<th>2 (best)</th>", "<th>1</th>")]
    assert places == sorted(places)
    assert "<th>error</th>" not in html
