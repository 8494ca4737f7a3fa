"""The page itself: what a report says, put into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from limner.training.callbacks.report import chart
from limner.training.callbacks.report.pictures import Album, Picture
from limner.training.history import Panel


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything on a page."""

    title: str
    subtitle: str
    status: str
    """`training`, `complete` or `stopped`."""
    progress: float
    """Share of the run that is done, in [0, 1]."""
    updated: str
    """Date and time."""
    command: str
    """Command lines, one a session; empty when unknown."""
    facts: Sequence[tuple[str, str]]
    """(label, value) at the top."""
    album: Album
    panels: Sequence[Panel]
    evaluations: Sequence[dict[str, Any]]
    """Records of metrics.jsonl."""
    best_kimg: float | None
    """Marks the row of the best snapshot."""
    differences: Sequence[tuple[str, str, str]] | None
    """(setting, preset's value, run's value); None when the preset is unknown."""
    settings: Sequence[tuple[str, str]]
    """Every setting."""
    environment: Sequence[tuple[str, str]]
    """Versions."""


def render(page: Page) -> str:
    """Return the page as one HTML document that needs no other file."""
    sections = [
        _samples(page.album),
        _section("Curves", f'<div class="charts">{"".join(chart.render(p) for p in page.panels)}</div>', page.panels),
        _section("Metrics", _metrics_table(page), page.evaluations),
        *(_section(p.caption, _image(p), True) for p in page.album.others),
        _section("Settings", _settings(page), True),
    ]
    footer = f"<footer>limner report, {escape(page.updated)}</footer>"
    return document(page.title, f"{_header(page)}<main>{''.join(sections)}</main>{footer}")


def document(title: str, body: str) -> str:
    """Return an HTML document in the style of reports that needs no other file; `body` is HTML, `title` text."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - limner</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_resource('page.css')}</style></head>\n<body>{body}<script>{_resource('page.js')}</script></body></html>\n"
    )


def value_text(value: Any) -> str:
    """Return a setting's value as the page shows it."""
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value) or "none"
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _header(page: Page) -> str:
    facts = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in page.facts)
    command = f'<pre class="command">{escape(page.command)}</pre>' if page.command else ""
    return (
        f'<header><p class="brand">limner</p><h1>{escape(page.title)} <span class="status {escape(page.status)}">'
        f"{escape(page.status)}</span></h1><p>{escape(page.subtitle)}</p>"
        f'<progress max="1" value="{page.progress:.4f}">{page.progress:.0%}</progress>'
        f'<dl class="facts">{facts}</dl>{command}</header>'
    )


def _section(title: str, body: str, content: Any) -> str:
    """Return a section, or nothing when it would be empty."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if content else ""


def _samples(album: Album) -> str:
    if not album.timeline:
        return ""
    newest, last = album.timeline[-1], len(album.timeline) - 1
    viewer = (
        f'<figure class="viewer"><img id="shown" src="{newest.uri}" width="{newest.width}" height="{newest.height}" '
        f'alt="Sample grid"><figcaption id="when">{escape(newest.caption)}</figcaption></figure>'
    )
    if last == 0:
        return _section("Samples", viewer, True)
    frames = "".join(
        f'<img src="{picture.uri}" alt="{escape(picture.caption)}" title="{escape(picture.caption)}">'
        for picture in album.timeline[:-1]
    )
    controls = (
        '<div class="scrubber"><button id="play" type="button" aria-label="Play">&#9654;</button>'
        f'<input id="scrub" type="range" min="0" max="{last}" value="{last}" aria-label="Time in kimg"></div>'
        f'<div class="frames" id="frames">{frames}</div>'
    )
    return _section("Samples", viewer + controls, True)


def _image(picture: Picture) -> str:
    caption = escape(picture.caption)
    return f'<img class="wide" src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="{caption}">'


def _metrics_table(page: Page) -> str:
    """Return the evaluations as a table: the control first, then the newest."""
    names = list(dict.fromkeys(name for record in page.evaluations for name in record.get("metrics", {})))
    controls = [record for record in page.evaluations if record.get("control")]
    measured = [record for record in reversed(page.evaluations) if not record.get("control")]
    has_errors = any(record.get("errors") for record in page.evaluations)
    rows = [_metrics_row(record, names, has_errors, page.best_kimg) for record in [*controls, *measured]]
    head = "".join(f"<th>{escape(name)}</th>" for name in names) + ("<th>error</th>" if has_errors else "")
    return (
        f'<div class="scroll"><table><thead><tr><th>kimg</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _metrics_row(record: dict[str, Any], names: Sequence[str], has_errors: bool, best_kimg: float | None) -> str:
    kind, label = "", f"{record['kimg']:g}"
    if record.get("control"):
        kind, label = ' class="control"', "real pictures"
    elif record["kimg"] == best_kimg:
        kind, label = ' class="best"', f"{label} (best)"
    values = record.get("metrics", {})
    cells = [f"{values[name]:.4g}" if values.get(name) is not None else "" for name in names]
    if has_errors:
        cells.append("; ".join(f"{escape(name)}: {escape(error)}" for name, error in record.get("errors", {}).items()))
    return f"<tr{kind}><th>{label}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _settings(page: Page) -> str:
    if page.differences is None:
        changed = "<p>The preset of this run is not known to this limner.</p>"
    elif page.differences:
        rows = [(path, f"{old} &rarr; {new}") for path, old, new in _escaped(page.differences)]
        changed = f"<h3>Different from the preset</h3>{_pairs(rows)}"
    else:
        changed = "<p>All as in the preset.</p>"
    return (
        f"{changed}<details><summary>All settings</summary>{_pairs(_escaped(page.settings))}</details>"
        f"<details><summary>Environment</summary>{_pairs(_escaped(page.environment))}</details>"
    )


def _escaped(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [tuple(escape(cell) for cell in row) for row in rows]


def _pairs(rows: Sequence[tuple[str, ...]]) -> str:
    return (
        f'<table class="pairs">{"".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)}</table>'
    )
