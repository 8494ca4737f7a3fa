"""Draws curves.png from the records of the run at every snapshot and at the end: losses, D's outputs, metrics, pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.runtime import atomic_file
from limner.training import history
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.state import TrainingState

COLUMNS = 2
"""Panels in a row."""
PANEL_INCHES = (5.0, 2.8)
"""Width and height of a panel; 100 pixels an inch."""


def make(context: CallbackContext) -> Callback:
    """Return the callback."""
    return Curve(context)


class Curve(Callback):
    """See the module. Without the callback `log` there are no records and nothing is drawn."""

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Draw when this tick ends with a snapshot."""
        if stats.get("snapshot"):
            self._draw()

    def on_end(self, state: TrainingState) -> None:
        """Draw the whole run."""
        self._draw()

    def _draw(self) -> None:
        panels = history.panels(self.context.run_dir)
        if panels:
            draw(panels, self.context.run_dir / "curves.png", self.context.run_dir.name)


def draw(panels: Sequence[history.Panel], path: Path, title: str) -> None:
    """Draw panels to a PNG in one step. No global state of matplotlib is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // COLUMNS)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(COLUMNS * width, rows * height + 0.4), dpi=100, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel, axis in zip(panels, axes, strict=False):
        _draw_panel(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    with atomic_file(path) as file:
        FigureCanvasAgg(figure).print_png(file)


def _draw_panel(axis: Any, panel: history.Panel) -> None:
    marker = "o" if max(len(line.kimg) for line in panel.lines) <= 30 else ""
    for line in panel.lines:
        axis.plot(line.kimg, line.values, label=line.label, linewidth=1.2, marker=marker, markersize=3)
    for label, level in panel.levels:
        axis.axhline(level, label=label, color="grey", linestyle="--", linewidth=1)
    if panel.from_zero:
        axis.set_ylim(bottom=0)
    axis.set_title(panel.title, fontsize=10)
    axis.set_xlabel("kimg", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    if len(panel.lines) + len(panel.levels) > 1:
        axis.legend(fontsize=8)
