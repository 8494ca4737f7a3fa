"""The page of all figures."""

from __future__ import annotations

from html import escape
from pathlib import Path

from limner.api.figures.page import render
from limner.api.figures.runner import get


def test_figures_are_shown_with_source_and_sentence_and_the_others_with_their_reason() -> None:
    figures = {name: get(name) for name in ("growth", "droplets")}
    drawn = {"droplets": [Path("out/droplets.png"), Path("out/droplets.csv")]}
    page = render("run <1>", figures, drawn, {"growth": "needs a <run>"})
    assert "<p>run &lt;1&gt;</p>" in page
    assert '<img src="droplets.png"' in page
    assert '<a href="droplets.csv">droplets.csv</a>' in page
    assert "StyleGAN2 paper, Figure 1" in page
    assert escape(get("droplets").CAPTION) in page
    assert "<li><b>Growth</b>: needs a &lt;run&gt;</li>" in page
    assert '<img src="growth.png"' not in page


def test_when_all_apply_nothing_is_said_of_others() -> None:
    page = render("run", {"growth": get("growth")}, {"growth": [Path("growth.png")]}, {})
    assert "do not apply" not in page
