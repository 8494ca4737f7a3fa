"""Shows how far training is: a progress bar on a terminal, one line a tick anywhere else, nothing when quiet.

A line reads

    tick 3  kimg 12.0  12m 05s  sec/kimg 21.2  img/s 47  loss G 0.93 D 1.21  p 0.000  mem 812 MB  left 1h 02m

with the time trained so far, the largest memory the process has used, and the time left at this tick's pace. On a
terminal the lines of ticks that end with a snapshot stay above the bar.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from limner.runtime import peak_memory_mb
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.clock import duration_text
from limner.training.state import TrainingState

if TYPE_CHECKING:
    from rich.console import Console

WAIT_SHOWN = 0.02
"""Share of time spent waiting for pictures above which a line mentions it."""


def make(context: CallbackContext) -> Callback:
    """Return the callback that suits standard output."""
    from rich.console import Console

    if context.quiet:
        return Callback(context)
    console = Console()
    return ProgressBar(context, console) if console.is_terminal else TickLines(context)


class TickLines(Callback):
    """Prints a line a tick."""

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Print the tick."""
        print(tick_line(state, stats, self.context.config.total_kimg), flush=True)


class ProgressBar(Callback):
    """A bar that advances with every iteration."""

    def __init__(self, context: CallbackContext, console: Console) -> None:
        super().__init__(context)
        from rich.progress import BarColumn, Progress, TextColumn

        self._total = context.config.total_kimg
        self._sec_per_kimg: float | None = None
        self._start = (0.0, 0)
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.1f}/{task.total:g} kimg"),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("[bold]{task.fields[left]}[/bold]"),
            console=console,
            expand=True,
            refresh_per_second=4,
        )

    def on_start(self, state: TrainingState) -> None:
        """Show the bar."""
        self._start = (time.monotonic(), state.nimg)
        self._task = self._bar.add_task("", total=self._total, numbers="", left="")
        self._bar.update(self._task, completed=state.nimg / 1000)
        self._bar.start()
        atexit.register(self._bar.stop)  # gives the cursor back when training ends with an error

    def on_step(self, state: TrainingState) -> None:
        """Advance the bar; until the first tick the pace is that of this session."""
        if self._sec_per_kimg is None:
            started, nimg = self._start
            pace = (time.monotonic() - started) / (state.nimg - nimg) if state.nimg > nimg else 0.0
            numbers = f"{1 / pace:.3g} img/s" if pace else ""
            self._bar.update(self._task, completed=state.nimg / 1000, numbers=numbers, left=self._left(state, pace))
        else:
            left = self._left(state, self._sec_per_kimg / 1000)
            self._bar.update(self._task, completed=state.nimg / 1000, left=left)

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Show the numbers of the tick."""
        self._sec_per_kimg = stats["sec_per_kimg"]
        numbers = [f"{stats['images_per_sec']:.3g} img/s", *_training_numbers(stats)]
        left = self._left(state, self._sec_per_kimg / 1000)
        self._bar.update(self._task, completed=state.nimg / 1000, numbers="  ".join(numbers), left=left)
        if stats.get("snapshot"):
            self._bar.console.print(tick_line(state, stats, self._total), highlight=False, soft_wrap=True)

    def on_end(self, state: TrainingState) -> None:
        """Leave the bar as it is and give the terminal back."""
        self._bar.update(self._task, completed=state.nimg / 1000)
        self._bar.stop()
        atexit.unregister(self._bar.stop)

    def _left(self, state: TrainingState, sec_per_image: float) -> str:
        return f"{duration_text((self._total * 1000 - state.nimg) * sec_per_image)} left" if sec_per_image else ""


def tick_line(state: TrainingState, stats: Mapping[str, float], total_kimg: float) -> str:
    """Return the line of a tick."""
    kimg = state.nimg / 1000
    parts = [
        f"tick {int(stats.get('tick', state.tick))}",
        f"kimg {kimg:.1f}",
        duration_text(stats["elapsed_sec"]),
        f"sec/kimg {stats['sec_per_kimg']:.1f}",
        f"img/s {stats['images_per_sec']:.3g}",
        *_training_numbers(stats),
    ]
    if stats.get("data_wait", 0.0) > WAIT_SHOWN:
        parts.append(f"waiting for data {stats['data_wait']:.0%}")
    parts.append(f"mem {peak_memory_mb():.0f} MB")
    parts.append(f"left {duration_text((total_kimg - kimg) * stats['sec_per_kimg'])}")
    return "  ".join(parts)


def _training_numbers(stats: Mapping[str, float]) -> list[str]:
    losses = [f"{name} {stats[f'loss/{name}']:.2f}" for name in ("G", "D", "E", "C") if f"loss/{name}" in stats]
    parts = [f"loss {' '.join(losses)}"] if losses else []
    if "augment_p" in stats:
        parts.append(f"p {stats['augment_p']:.3f}")
    if "lod" in stats:
        parts.append(f"res {stats['resolution']:.0f}  lod {stats['lod']:.2f}  alpha {stats['alpha']:.2f}")
    return parts
