"""The page of an inversion."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from limner.api.inversion_page import render_page

RECORD: dict[str, Any] = {
    "method": "in_domain",
    "space": "w+",
    "generator": "runs/<faces>",
    "fingerprint": "abc",
    "perceptual": "stlpips",
    "settings": {"steps": 100},
    "command": "limner invert a&b",
    "means": {"mse": 0.25, "psnr": 12.0},
    "skipped": {"bad": "broken picture"},
    "pictures": [{"name": "a b#1", "numbers": {"mse": 0.25, "psnr": 12.0}, "seconds": 1.25}],
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources.append(dict(attrs)["src"] or "")
        elif tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_shows_every_picture() -> None:
    page, tags = render_page(RECORD), Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.sources == ["progress/a%20b%231.png"]
    assert all(
        text in page for text in ("in-domain", "runs/&lt;faces&gt;", "steps=100", "a&amp;b", "0.25", "bad: broken")
    )


def test_what_is_absent_takes_no_place() -> None:
    page = render_page({**RECORD, "command": "", "skipped": {}, "settings": {}})
    assert "<pre>" not in page
    assert "Not read" not in page
    assert "no settings" in page
