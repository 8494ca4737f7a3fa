"""A study as CSV files and as one HTML page that needs no other file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from limner.api.study.bench import Bench
from limner.api.study.contenders import MAIN, Trial
from limner.api.study.hypotheses import SWEEP, Claim, Verdict
from limner.api.study.measuring import MEASURES, SET_MEASURES, Measured, Measurer
from limner.api.study.request import StudyRequest
from limner.images import grid, save_png, strip, to_pil
from limner.inversion.engine.attribution import Estimate
from limner.runtime import write_text
from limner.training.callbacks.report.page import document
from limner.training.callbacks.report.pictures import encode

PAGE_NAME = "study.html"
SHOWN = 8
"""Pictures on a sheet."""
CELL = 96
"""Least width of a picture on a sheet, pixels."""
SHEET_BYTES = 150_000
RECONSTRUCTION = ("mse", "psnr", "ssim", "perceptual", "fd", "swd", "seconds")
IN_DOMAIN = ("mahalanobis", "self_consistency", "realness", "spread", "fd_midpoints")
SEMANTIC = ("precision", "agreement", "changed", "kept", "clean")
SUBSET = (*MAIN, "random", "w", "in-domain-conv", "pti", "long")
OUTCOMES = {
    "held": "&#10003;",
    "did not hold": "&#10007;",
    "undecided": "~",
    "reported": "i",
    "not measured": "&ndash;",
}
"""What became of a claim -> the sign beside the words."""


def write(
    folder: Path,
    bench: Bench,
    request: StudyRequest,
    measurer: Measurer,
    found: Mapping[str, Measured],
    judged: Sequence[Verdict],
    command: str,
) -> tuple[Path, tuple[Path, ...]]:
    """Write page, tables and sheets, and return the paths of the page and of the tables.

    Raises:
        LimnerError: they cannot be written.
    """
    texts = {
        "methods.csv": _methods_csv(measurer, found),
        "pictures.csv": _pictures_csv(found),
        "paths.csv": _paths_csv(found),
        "hypotheses.csv": _hypotheses_csv(judged),
    }
    names = measurer.attributes(request.num) if bench.labels is not None else []
    if names:
        texts["attributes.csv"] = _attributes_csv(measurer, found, names)
    sheets = {
        "held-out.png": _sheet(bench, found, "held-out", SUBSET),
        "sweep.png": _sheet(bench, found, "held-out", SWEEP),
        "outside.png": _sheet(bench, found, "outside", ("guided", "optimise", "in-domain")),
    }
    drawn = {name: save_png(sheet, folder / name) for name, sheet in sheets.items() if sheet is not None}
    for name, text in texts.items():
        write_text(folder / name, text)
    page = folder / PAGE_NAME
    write_text(page, _page(bench, request, measurer, found, judged, command, drawn, names))
    return page, tuple(folder / name for name in texts)


def _page(
    bench: Bench,
    request: StudyRequest,
    measurer: Measurer,
    found: Mapping[str, Measured],
    judged: Sequence[Verdict],
    command: str,
    drawn: Mapping[str, Path],
    names: Sequence[str],
) -> str:
    subset = min(request.subset, request.num)
    lead = (
        '<header><p class="brand">limner</p><h1>Ways to invert, compared</h1>'
        f"<p>Generator {escape(str(request.checkpoint))} ({escape(bench.identity)}), pictures "
        f"{escape(str(request.data))} that it was not trained on: {request.num} in the main comparison, the first "
        f"{subset} elsewhere. Brackets: 95 % intervals, pictures resampled; comparisons are paired. One training of "
        "each network: intervals say nothing about other trainings.</p>"
        + (f'<pre class="command">{escape(command)}</pre>' if command else "")
        + "</header>"
    )
    trials = {
        "main": [f"held-out-{name}" for name in MAIN],
        "subset": [f"held-out-{name}" for name in SUBSET],
        "sweep": [f"held-out-{name}" for name in SWEEP],
        "outside": [name for name in found if name.startswith("outside-")],
        "rest": [name for name in found if name.startswith(("train-", "made-"))],
    }

    def table(which: str, columns: Sequence[str], count: int | None = None) -> str:
        return _table(measurer, found, trials[which], columns, count)

    errors, domain, number = ("mse", "perceptual"), IN_DOMAIN[:4], request.num
    sections = [
        ("What the papers found, asked again", _verdicts(judged)),
        ("Pictures", _figure(drawn.get("held-out.png"), "held-out pictures and what each way makes of them")),
        (f"Reconstruction of {number} pictures", table("main", RECONSTRUCTION)),
        ("Error along the way", _paths(found, trials["main"])),
        (f"In the domain, {number} pictures", table("main", IN_DOMAIN)),
        (f"What codes carry, {number} pictures; edits of {subset}", table("main", SEMANTIC)),
        ("Average precision of true attributes", _precisions(measurer, found, trials["main"], names)),
        (f"All ways on the first {subset} pictures", table("subset", (*RECONSTRUCTION[:4], "seconds"), subset)),
        ("The same: in the domain", table("subset", (*domain, "clean"), subset)),
        ("The in-domain weight, 0 to 40", table("sweep", (*errors, *domain, "clean"), subset)),
        ("Pictures along the weight", _figure(drawn.get("sweep.png"), "weights 0, 0.5, 2, 10 and 40")),
        ("Outside the domain", table("outside", (*errors, *domain))),
        ("Pictures from outside", _figure(drawn.get("outside.png"), "pictures that are not of the domain")),
        ("Training pictures and generated ones", table("rest", (*errors, *domain, "code_error"))),
    ]
    body = "".join(f"<section><h2>{escape(title)}</h2>{content}</section>" for title, content in sections if content)
    return document("Ways to invert", f"{lead}<main>{body}</main><footer>limner study inversion</footer>")


def _verdicts(judged: Sequence[Verdict]) -> str:
    rows = []
    for verdict in judged:
        claims = "".join(f"<li>{OUTCOMES[c.outcome]} {escape(c.text)}{_differs(c)}</li>" for c in verdict.claims)
        rows.append(
            f"<tr><th>{escape(verdict.name)}</th><td>{escape(verdict.statement)}<ul>{claims}</ul></td>"
            f"<td>{OUTCOMES[verdict.outcome]} {verdict.outcome}</td></tr>"
        )
    head = "<th></th><th>statement, and the difference that should be below 0</th><th>outcome</th>"
    return _scroll(head, rows)


def _differs(claim: Claim) -> str:
    return "" if claim.estimate is None else f": {_text(claim.estimate, sign=True)}"


def _table(
    measurer: Measurer,
    found: Mapping[str, Measured],
    trials: Sequence[str],
    names: Sequence[str],
    count: int | None = None,
) -> str:
    """Return a table with a row a trial and a column a number that any of them has."""
    rows: dict[str, dict[str, Estimate]] = {}
    for trial in trials:
        if trial in found:
            estimates = {name: measurer.estimate(found[trial], name, count) for name in names}
            rows[trial] = {name: value for name, value in estimates.items() if value is not None}
    columns = [name for name in names if any(name in row for row in rows.values())]
    if not columns:
        return ""
    head = "<th>method</th><th>pictures</th>" + "".join(
        f"<th>{escape(MEASURES[name][0] if name in MEASURES else SET_MEASURES[name])}</th>" for name in columns
    )
    lines = []
    for trial, row in rows.items():
        number = min(count or found[trial].trial.count, found[trial].trial.count)
        cells = "".join(f"<td>{_text(row[name]) if name in row else ''}</td>" for name in columns)
        lines.append(f"<tr><th>{escape(_title(found[trial].trial))}</th><td>{number}</td>{cells}</tr>")
    return _scroll(head, lines)


def _title(trial: Trial) -> str:
    where = {"held-out": "", "outside": "", "train": "training pictures: ", "made": "generated pictures: "}
    return f"{where[trial.pictures]}{trial.contender.title}"


def _precisions(measurer: Measurer, found: Mapping[str, Measured], trials: Sequence[str], names: Sequence[str]) -> str:
    present = [trial for trial in trials if trial in found]
    if not names or not present:
        return ""
    assert measurer.bench.labels is not None
    columns = [measurer.precisions(found[trial], names) for trial in present]
    chance = [measurer.bench.labels[:, measurer.bench.attributes.index(name)].mean() for name in names]
    head = "<th>attribute</th><th>chance</th>" + "".join(
        f"<th>{escape(found[trial].trial.contender.title)}</th>" for trial in present
    )
    lines = [
        f"<tr><th>{escape(name)}</th><td>{chance[index]:.2f}</td>"
        + "".join(f"<td>{column[index]:.2f}</td>" for column in columns)
        + "</tr>"
        for index, name in enumerate(names)
    ]
    return _scroll(head, lines)


def _paths(found: Mapping[str, Measured], trials: Sequence[str]) -> str:
    """Return the mean error at matched updates and at matched seconds."""
    present = [found[trial] for trial in trials if trial in found and len(found[trial].outcome.path_steps)]
    iterated = [measured for measured in present if len(measured.outcome.path_steps) > 1]
    if not iterated:
        return ""
    last = min(measured.outcome.path_steps[-1] for measured in iterated)
    steps = [round(last * share) for share in (0, 0.1, 0.25, 0.5, 1)]
    slowest = min(measured.outcome.path_seconds[-1] for measured in iterated)
    seconds = [slowest * share for share in (0.1, 0.25, 0.5, 1)]
    head = "<th>method</th>" + "".join(f"<th>{step} updates</th>" for step in steps)
    head += "".join(f"<th>{second:.2f} s</th>" for second in seconds)
    lines = []
    for measured in present:
        path, errors = measured.outcome, measured.outcome.path_mse.mean(1)
        at_steps = [_at(path.path_steps, errors, step) for step in steps]
        at_seconds = [_at(path.path_seconds, errors, second) for second in seconds]
        cells = "".join(f"<td>{'' if value is None else f'{value:.4f}'}</td>" for value in (*at_steps, *at_seconds))
        lines.append(f"<tr><th>{escape(measured.trial.contender.title)}</th>{cells}</tr>")
    return "<p>Mean squared error after as many updates, and after as many seconds a picture.</p>" + _scroll(
        head, lines
    )


def _at(places: np.ndarray, errors: np.ndarray, place: float) -> float | None:
    """Return the last error noted at or before a place; None: nothing yet."""
    index = int(np.searchsorted(places, place, side="right")) - 1
    return None if index < 0 else float(errors[index])


def _sheet(bench: Bench, found: Mapping[str, Measured], pictures: str, names: Sequence[str]) -> Image.Image | None:
    """Return a sheet with a row a picture and a column a method, the pictures themselves on the left."""
    present = [found[f"{pictures}-{name}"] for name in names if f"{pictures}-{name}" in found]
    if not present:
        return None
    count = min(SHOWN, *(measured.trial.count for measured in present))
    columns = [bench.sets[pictures][:count], *(measured.outcome.images[:count] for measured in present)]
    captions = ["picture", *(measured.trial.contender.name for measured in present)]
    return strip([_enlarged(grid(to_pil(images), columns=1)) for images in columns], captions)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Return a column of pictures enlarged by a whole factor, so that its caption fits."""
    factor = -(-CELL // picture.width)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _figure(path: Path | None, caption: str) -> str:
    if path is None:
        return ""
    picture = encode(path, SHEET_BYTES, caption)
    return (
        f'<figure><img src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _scroll(head: str, rows: Sequence[str]) -> str:
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _text(estimate: Estimate, *, sign: bool = False) -> str:
    form = "{:+.3g}" if sign else "{:.3g}"
    return f"{form.format(estimate.value)} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _methods_csv(measurer: Measurer, found: Mapping[str, Measured]) -> str:
    rows: list[Sequence[object]] = [("pictures", "method", "count", "measure", "value", "low", "high")]
    for measured in found.values():
        for name in (*MEASURES, *SET_MEASURES):
            estimate = measurer.estimate(measured, name)
            if estimate is not None:
                head = (measured.trial.pictures, measured.trial.contender.name, measured.trial.count, name)
                rows.append((*head, *(f"{value:.6g}" for value in (estimate.value, estimate.low, estimate.high))))
    return _csv(rows)


def _pictures_csv(found: Mapping[str, Measured]) -> str:
    rows: list[Sequence[object]] = [("pictures", "method", "picture", *MEASURES)]
    for measured in found.values():
        for index in range(measured.trial.count):
            numbers = [measured.numbers.get(name, np.empty(0)) for name in MEASURES]
            values = [f"{column[index]:.6g}" if index < len(column) else "" for column in numbers]
            rows.append((measured.trial.pictures, measured.trial.contender.name, index, *values))
    return _csv(rows)


def _paths_csv(found: Mapping[str, Measured]) -> str:
    rows: list[Sequence[object]] = [("pictures", "method", "updates", "seconds", "mse")]
    for measured in found.values():
        path, head = measured.outcome, (measured.trial.pictures, measured.trial.contender.name)
        for step, second, errors in zip(path.path_steps, path.path_seconds, path.path_mse, strict=True):
            rows.append((*head, int(step), f"{second:.4f}", f"{errors.mean():.6g}"))
    return _csv(rows)


def _hypotheses_csv(judged: Sequence[Verdict]) -> str:
    rows: list[Sequence[object]] = [("hypothesis", "outcome", "claim", "claim outcome", "difference", "low", "high")]
    for verdict in judged:
        for claim in verdict.claims:
            e = claim.estimate
            numbers = ("", "", "") if e is None else tuple(f"{value:.6g}" for value in (e.value, e.low, e.high))
            rows.append((verdict.name, verdict.outcome, claim.text, claim.outcome, *numbers))
    return _csv(rows)


def _attributes_csv(measurer: Measurer, found: Mapping[str, Measured], names: Sequence[str]) -> str:
    rows: list[Sequence[object]] = [("method", "attribute", "average precision")]
    for measured in found.values():
        if measured.trial.pictures == "held-out":
            values = measurer.precisions(measured, names)
            rows += [
                (measured.trial.contender.name, name, f"{value:.4f}") for name, value in zip(names, values, strict=True)
            ]
    return _csv(rows)
