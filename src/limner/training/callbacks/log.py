"""Writes log.jsonl: one record a tick with all statistics, `kimg`, `tick` and the wall time in Unix seconds.

On resuming, records beyond the resumed state are dropped, so that every tick appears once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from limner.training import records
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.history import LOG_NAME
from limner.training.state import TrainingState


def make(context: CallbackContext) -> Callback:
    """Return the callback."""
    return Log(context)


class Log(Callback):
    """See the module."""

    def on_start(self, state: TrainingState) -> None:
        """Drop what lies ahead of the state."""
        records.rewind(self.context.run_dir / LOG_NAME, state.nimg / 1000)

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Append the tick."""
        record = {**stats, "kimg": state.nimg / 1000, "tick": stats.get("tick", state.tick), "time": time.time()}
        records.append(self.context.run_dir / LOG_NAME, record)
