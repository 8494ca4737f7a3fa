"""Writes TensorBoard event files to the run's folder `tensorboard`, when TensorBoard is installed (extra `tracking`).

Without it this callback does nothing. Steps are images shown, so runs of different batch sizes compare. On resuming,
events beyond the resumed state are marked as superseded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.state import TrainingState

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def make(context: CallbackContext) -> Callback:
    """Return the callback, or one that does nothing when TensorBoard is not installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        return Callback(context)
    return TensorBoard(context)


class TensorBoard(Callback):
    """See the module. Metrics are computed later in a tick, so they are written at the next one or at the end."""

    def on_start(self, state: TrainingState) -> None:
        """Open the event file."""
        from torch.utils.tensorboard import SummaryWriter

        purge_step = state.nimg + 1 if state.nimg else None
        folder = self.context.run_dir / "tensorboard"
        self._writer: SummaryWriter = SummaryWriter(str(folder), purge_step=purge_step)
        self._snapshot_nimg = state.nimg
        self._written: Any = None

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Write the statistics of the tick and the metrics of the last snapshot."""
        self._write_metrics()
        for name, value in stats.items():
            if name not in ("kimg", "tick", "snapshot"):
                self._writer.add_scalar(name if "/" in name else f"run/{name}", value, state.nimg)
        self._writer.flush()
        if stats.get("snapshot"):
            self._snapshot_nimg = state.nimg

    def on_end(self, state: TrainingState) -> None:
        """Write what is left and close the file."""
        self._write_metrics()
        self._writer.close()

    def _write_metrics(self) -> None:
        metrics = self.context.shared.get("metrics")
        if metrics is not None and metrics is not self._written:
            for name, value in metrics.items():
                self._writer.add_scalar(f"metrics/{name}", value, self._snapshot_nimg)
            self._written = metrics
