"""The results of a ladder as a CSV and as one HTML page that needs no other file."""

from __future__ import annotations

import csv
import io
import itertools
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path

from limner.api.ladder.climbing import RungResult
from limner.papers.base import Ladder, Rung
from limner.runtime import expand, write_text
from limner.training.callbacks.report import chart
from limner.training.callbacks.report.page import document
from limner.training.callbacks.report.pictures import encode
from limner.training.callbacks.samples import grid_paths
from limner.training.history import Line, Panel

GRID_BYTES = 30_000
"""Largest size of a sample grid on the page."""


def write_ladder(
    ladder: Ladder, results: Sequence[RungResult], out: Path, *, metric: str, command: str, budget: str
) -> tuple[Path, Path]:
    """Write `ladder.html` and `ladder.csv` into the folder of a ladder and return their paths.

    Args:
        ladder: the table.
        results: one a rung and seed, at least one.
        out: the folder.
        metric: name of the score.
        command: the command line, for the record.
        budget: one line that says what every run was given.

    Raises:
        LimnerError: they cannot be written.
    """
    folder = expand(out)
    page, table = folder / "ladder.html", folder / "ladder.csv"
    write_text(table, _csv(results, metric))
    write_text(page, _html(ladder, results, metric, command, budget))
    return page, table


def mean_score(results: Sequence[RungResult], rung: Rung) -> float | None:
    """The mean score of a rung over its seeds; None when one of them has none."""
    scores = [result.score for result in results if result.rung == rung]
    known = [score for score in scores if score is not None]
    return statistics.fmean(known) if known and len(known) == len(scores) else None


def orderings(results: Sequence[RungResult], published: str) -> list[tuple[Rung, Rung, float, list[float]]]:
    """Compare each rung with the one above it.

    Args:
        results: one a rung and seed.
        published: name of the published score, lower is better.

    Returns:
        (rung above, rung, published change, our change for every seed) where both have scores.
    """
    rungs = list({result.rung.preset: result.rung for result in results}.values())
    scores = {(result.rung.preset, result.seed): result.score for result in results}
    seeds = sorted({result.seed for result in results})
    rows = []
    for above, rung in itertools.pairwise(rungs):
        if published not in above.published or published not in rung.published:
            continue
        pairs = [(scores.get((above.preset, seed)), scores.get((rung.preset, seed))) for seed in seeds]
        ours = [new - old for old, new in pairs if old is not None and new is not None]
        rows.append((above, rung, rung.published[published] - above.published[published], ours))
    return rows


def verdict(change: float, ours: Sequence[float]) -> str:
    """Say whether our seeds move in the published direction: `yes`, `no`, `mixed`, or `not measured`."""
    if not ours:
        return "not measured"
    agree = [our * change > 0 for our in ours]
    return "yes" if all(agree) else "mixed" if any(agree) else "no"


def _csv(results: Sequence[RungResult], metric: str) -> str:
    published = list(dict.fromkeys(name for result in results for name in result.rung.published))
    metrics = list(dict.fromkeys([metric, *(name for result in results for name in result.metrics)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "preset", "seed", "kimg", "seconds", *metrics, *published, "failure"])
    for result in results:
        values = [_number(result.metrics.get(name)) for name in metrics]
        quoted = [_number(result.rung.published.get(name)) for name in published]
        head = [result.rung.row, result.rung.preset, result.seed, f"{result.kimg:g}", f"{result.seconds:.0f}"]
        writer.writerow([*head, *values, *quoted, result.failure])
    return text.getvalue()


def _html(ladder: Ladder, results: Sequence[RungResult], metric: str, command: str, budget: str) -> str:
    controls = [result.control for result in results if result.control is not None]
    control = f" Real pictures against other real pictures score {controls[0]:.4g}." if controls else ""
    lead = (
        f'<header><p class="brand">limner</p><h1>{escape(ladder.title)}</h1><p>{escape(ladder.source)}</p>'
        f"<p>{escape(budget)}{control} Lower {escape(metric)} is better.</p>"
        f'<pre class="command">{escape(command)}</pre></header>'
    )
    sections = [
        ("Rungs", _table(results, metric)),
        ("Published orderings", _orderings_table(results)),
        ("Curves", f'<div class="charts">{"".join(chart.render(panel) for panel in _panels(results, metric))}</div>'),
        ("Pictures", _pictures(results)),
    ]
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections if content)
    return document(ladder.title, f"{lead}<main>{body}</main><footer>limner ladder</footer>")


def _table(results: Sequence[RungResult], metric: str) -> str:
    published = list(dict.fromkeys(name for result in results for name in result.rung.published))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("row", "preset", *published, f"ours: {metric}", "seconds"))
    rows = []
    for preset in dict.fromkeys(result.rung.preset for result in results):
        mine = [result for result in results if result.rung.preset == preset]
        rung = mine[0].rung
        cells = [escape(rung.row), escape(preset), *(_number(rung.published.get(name)) for name in published)]
        cells += [_scores(mine), ", ".join(f"{result.seconds:.0f}" for result in mine)]
        rows.append(f"<tr><th>{cells[0]}</th>{''.join(f'<td>{cell}</td>' for cell in cells[1:])}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _scores(results: Sequence[RungResult]) -> str:
    """The mean over seeds, and each seed's score behind it."""
    each = ["failed" if result.failure else _number(result.score) or "none" for result in results]
    mean = mean_score(results, results[0].rung)
    return f"<b>{mean:.4g}</b> ({', '.join(each)})" if mean is not None and len(each) > 1 else ", ".join(each)


def _orderings_table(results: Sequence[RungResult]) -> str:
    published = list(dict.fromkeys(name for result in results for name in result.rung.published))
    rows = []
    for name in published:
        for above, rung, change, ours in orderings(results, name):
            changes = ", ".join(f"{our:+.3g}" for our in ours)
            step = f"{escape(above.row)} &rarr; {escape(rung.row)}"
            cells = (step, escape(name), f"{change:+.3g}", changes, verdict(change, ours))
            rows.append(f"<tr><th>{cells[0]}</th>{''.join(f'<td>{cell}</td>' for cell in cells[1:])}</tr>")
    if not rows:
        return ""
    head = "<th>step</th><th>score</th><th>published change</th><th>our change, by seed</th><th>same direction</th>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _panels(results: Sequence[RungResult], metric: str) -> list[Panel]:
    """One chart a seed, with a curve a rung."""
    panels = []
    for seed in sorted({result.seed for result in results}):
        lines = tuple(
            Line(
                label=result.rung.row.split()[0].strip(":"),
                kimg=tuple(kimg for kimg, _ in result.curve),
                values=tuple(score for _, score in result.curve),
            )
            for result in results
            if result.seed == seed and result.curve
        )
        if lines:
            panels.append(Panel(title=f"{metric}, seed {seed}", lines=lines, from_zero=True))
    return panels


def _pictures(results: Sequence[RungResult]) -> str:
    figures = []
    for result in results:
        grids = grid_paths(result.folder)
        if not grids:
            continue
        picture = encode(grids[-1], GRID_BYTES, f"{result.rung.row}, seed {result.seed}")
        figures.append(
            f'<figure><img src="{picture.uri}" width="{picture.width}" height="{picture.height}" loading="lazy" '
            f'alt="{escape(picture.caption)}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
        )
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
