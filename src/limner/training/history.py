"""What a run's records say, as curves: the panels that `curves.png` and the report draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.training import records

LOG_NAME = "log.jsonl"
"""One record a tick."""
METRICS_NAME = "metrics.jsonl"
"""One record an evaluation."""
ATTRIBUTES = 6
"""Most attributes in a panel."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve."""

    label: str
    kimg: tuple[float, ...]
    """x of every point."""
    values: tuple[float, ...]
    """y of every point."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves that share an axis."""

    title: str
    lines: tuple[Line, ...]
    levels: tuple[tuple[str, float], ...] = ()
    """(label, y) of horizontal reference lines."""
    from_zero: bool = False
    """Whether the y axis begins at 0."""


def panels(run_dir: Path) -> list[Panel]:
    """Return the panels of a run for which there are data.

    Losses share a panel, regularisers get one each, then scores and signs of D, metrics, and the pace. A metric's
    reference line is its value between real pictures and other real pictures.
    """
    ticks = records.read(run_dir / LOG_NAME)
    keys = list(dict.fromkeys(key for record in ticks for key in record))
    losses = [key for key in keys if key.startswith("loss/")]
    found = [_panel("Losses", ticks, [key for key in losses if "_" not in key])]
    found += [_panel(f"Loss {key.removeprefix('loss/')}", ticks, [key]) for key in losses if "_" in key]
    found.append(_panel("Scores of D", ticks, [key for key in keys if key.startswith("scores/")]))
    found.append(_panel("Signs of D", ticks, [key for key in keys if key.startswith("signs/")]))
    shown = [key for key in keys if key.startswith("accuracy/")]
    found.append(_panel("Accuracy on pictures shown", ticks, shown))
    found += _metric_panels(records.read(run_dir / METRICS_NAME))
    for key, title in (("augment_p", "Augmentation p"), ("lod", "Level of detail")):
        if any(record.get(key) for record in ticks):  # a panel of zeros says nothing
            found.append(_panel(title, ticks, [key], from_zero=True))
    found.append(_panel("Images per second", ticks, ["images_per_sec"], from_zero=True))
    return [panel for panel in found if panel.lines]


def _panel(title: str, entries: Iterable[dict[str, Any]], keys: Iterable[str], from_zero: bool = False) -> Panel:
    lines = (_line(key.split("/")[-1], [(entry["kimg"], entry.get(key)) for entry in entries]) for key in keys)
    return Panel(title=title, lines=tuple(line for line in lines if line.kimg), from_zero=from_zero)


def _metric_panels(evaluations: list[dict[str, Any]]) -> list[Panel]:
    measured = [record for record in evaluations if not record.get("control")]
    controls = {name: value for record in evaluations if record.get("control") for name, value in _values(record)}
    every = list(dict.fromkeys(name for record in measured for name, _ in _values(record)))
    names = [name for name in every if "/" not in name]
    found = []
    for name in names:
        line = _line(name, [(record["kimg"], dict(_values(record)).get(name)) for record in measured])
        levels = (("real pictures", controls[name]),) if controls.get(name) is not None else ()
        found.append(Panel(title=f"Metric {name}", lines=(line,) if line.kimg else (), levels=levels))
    return found + _attribute_panels(measured, [name for name in every if name.startswith("accuracy/")])


def _attribute_panels(measured: list[dict[str, Any]], names: list[str]) -> list[Panel]:
    """Return the accuracies of a classifier by attribute, a few a panel."""
    found = []
    for start in range(0, len(names), ATTRIBUTES):
        part = names[start : start + ATTRIBUTES]
        values = [{"kimg": record["kimg"], **dict(_values(record))} for record in measured]
        found.append(_panel(f"Accuracy by attribute, {start + 1} to {start + len(part)}", values, part))
    return found


def _values(record: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return record.get("metrics", {}).items()


def _line(label: str, points: Iterable[tuple[float, float | None]]) -> Line:
    known = [(x, y) for x, y in points if y is not None]
    return Line(label=label, kimg=tuple(x for x, _ in known), values=tuple(y for _, y in known))
