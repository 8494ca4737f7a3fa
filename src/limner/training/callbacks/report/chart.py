"""A panel of curves as inline SVG, with its numbers beside it for the page's script to show under the pointer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape

from limner.training.history import Line, Panel

WIDTH, HEIGHT = 520, 230
"""Size of the drawing in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 10, 26
"""Margins around the plot."""
MOST_POINTS = 400
"""Points of a curve; longer ones are thinned out evenly."""
MARKED_POINTS = 30
"""Curves of at most this many points show each as a dot."""
DOT = 3
"""Radius of a dot."""
OUTLIERS = 0.01
"""Share of the points at either end that a curve of 100 points or more may leave outside of its axis."""


def render(panel: Panel) -> str:
    """Return `panel` as an HTML figure."""
    lines = [_thinned(line) for line in panel.lines]
    x_range = (0.0, max(line.kimg[-1] for line in lines) or 1.0)
    y_range = _y_range(lines, [level for _, level in panel.levels], panel.from_zero)
    frame = _Frame(x_range, y_range)
    drawn = "".join(_curve(frame, line, index) for index, line in enumerate(lines))
    drawn += "".join(_level(frame, level) for _, level in panel.levels)
    data = {
        "lines": [{"x": line.kimg, "y": line.values} for line in lines],
        "range": x_range,
        "left": LEFT,
        "right": WIDTH - RIGHT,
    }
    clip = f"{LEFT - DOT} {TOP} {WIDTH - LEFT - RIGHT + 2 * DOT} {HEIGHT - TOP - BOTTOM}"  # x, y, width, height
    x, y, width, height = clip.split()
    return (
        f'<figure class="chart" data-chart="{escape(json.dumps(data))}"><figcaption><b>{escape(panel.title)}</b>'
        f"{_legend(lines, panel)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(panel.title)}">{_axes(frame)}'
        f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{clip}">{drawn}</svg>'
        f'<line class="rule" y1="{TOP}" y2="{HEIGHT - BOTTOM}" visibility="hidden"/></svg></figure>'
    )


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers in [low, high], about `count` of them, 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


class _Frame:
    """Maps numbers to places in the drawing."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self.x_range, self.y_range = x_range, y_range

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _thinned(line: Line) -> Line:
    stride = -(-len(line.kimg) // MOST_POINTS)
    if stride <= 1:
        return line
    kept = sorted({*range(0, len(line.kimg), stride), len(line.kimg) - 1})
    return Line(label=line.label, kimg=tuple(line.kimg[i] for i in kept), values=tuple(line.values[i] for i in kept))


def _y_range(lines: Sequence[Line], levels: Sequence[float], from_zero: bool) -> tuple[float, float]:
    """Return the range of all curves but their outliers, and of the levels, a little widened."""
    lows, highs = list(levels), list(levels)
    for line in lines:
        values = sorted(line.values)
        cut = int(len(values) * OUTLIERS)
        lows.append(values[cut])
        highs.append(values[-1 - cut])
    low, high = 0.0 if from_zero else min(lows), max(highs)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-6):
        margin = abs(low) * 0.1 or 1.0  # a range around a single number
    else:
        margin = (high - low) * 0.06
    return low if from_zero else low - margin, high + margin


def _curve(frame: _Frame, line: Line, index: int) -> str:
    places = [(frame.x(x), frame.y(y)) for x, y in zip(line.kimg, line.values, strict=True)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = f'<polyline class="curve c{index % 6}" points="{points}"/>'
    if len(places) <= MARKED_POINTS:
        drawn += "".join(f'<circle class="dot c{index % 6}" cx="{x:.1f}" cy="{y:.1f}" r="{DOT}"/>' for x, y in places)
    return drawn


def _level(frame: _Frame, level: float) -> str:
    y = f"{frame.y(level):.1f}"
    return f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'


def _axes(frame: _Frame) -> str:
    parts = []
    for value in nice_ticks(*frame.y_range, 5):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{value:.6g}</text>')
    for value in nice_ticks(*frame.x_range, 6):
        x = frame.x(value)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}"/>'
        )
        text = f"{value:.6g}" if value else "0 kimg"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>')
    return "".join(parts)


def _legend(lines: Sequence[Line], panel: Panel) -> str:
    """Return label and newest value of every curve; the script puts the values under the pointer in their place."""
    entries = [
        f'<span class="key c{index % 6}">{escape(line.label)} <output>{line.values[-1]:.4g}</output></span>'
        for index, line in enumerate(lines)
    ]
    entries += [f'<span class="key level">{escape(label)} {level:.4g}</span>' for label, level in panel.levels]
    return f'<span class="legend">{"".join(entries)}<span class="at"></span></span>'
