"""Writes the networks of the run to snapshots/<kimg> and drops old ones: G_ema, G and D, or G_ema, E and D.

The newest `callbacks.keep` snapshots stay, and the best by the first metric besides; others are deleted once a new one
is complete. `metrics.json` in a snapshot holds its metrics. What resuming needs is not here but in the training state.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from limner.checkpoints.io import METRICS_NAME, write_snapshot
from limner.runtime import atomic_file
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.clock import kimg_name
from limner.training.state import TrainingState


def make(context: CallbackContext) -> Callback:
    """Return the callback."""
    return Snapshots(context)


class Snapshots(Callback):
    """See the module."""

    def __init__(self, context: CallbackContext) -> None:
        super().__init__(context)
        self.folder = context.run_dir / "snapshots"

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Write a snapshot when this tick ends with one."""
        if stats.get("snapshot"):
            self._write(state, self.context.shared.get("metrics", {}))

    def on_end(self, state: TrainingState) -> None:
        """Write a snapshot where the run was stopped, unless one of this kimg is there."""
        if state.nimg and not (self.folder / kimg_name(state.nimg)).exists():
            self._write(state, {})

    def _write(self, state: TrainingState, metrics: Mapping[str, float]) -> None:
        folder = self.folder / kimg_name(state.nimg)
        about = {"kimg": state.nimg / 1000, "lod": state.lod, **state.objective.about()}
        write_snapshot(folder, self.context.config, state.networks(), about)
        if metrics:
            with atomic_file(folder / METRICS_NAME) as file:
                file.write(json.dumps(metrics, indent=2).encode() + b"\n")
        self._drop_old(folder)

    def _drop_old(self, newest: Path) -> None:
        """Delete older snapshots than `newest` beyond those to keep."""
        found = sorted((path for path in self.folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
        past = [path for path in found if int(path.name) <= int(newest.name)]
        best = self.context.shared.get("best")
        best_name = kimg_name(round(best["kimg"] * 1000)) if best else ""
        for path in past[: -max(self.context.config.callbacks.keep, 1)]:
            if path.name != best_name:
                shutil.rmtree(path)
