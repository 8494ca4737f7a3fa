"""The contract of a callback, and what it is given.

A callback is a file of this folder that exports `make(context) -> Callback`; its file name is its registered name.
Callbacks run on rank 0 only, in the order of `callbacks.names`, outside the arithmetic of training: none of them
changes the training state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from limner.config import RunConfig

if TYPE_CHECKING:
    from limner.data.base import Dataset
    from limner.training.state import TrainingState


@dataclass(kw_only=True)
class CallbackContext:
    """What stays the same during a run."""

    config: RunConfig
    """The resolved configuration."""
    run_dir: Path
    """Folder of the run."""
    dataset: Dataset
    """The training pictures."""
    held_out: Dataset | None = None
    """Pictures that are judged, not shown; None: none."""
    device: torch.device
    """Where the networks are."""
    quiet: bool = False
    """Print nothing but errors."""
    augment: Callable[[Tensor], Tensor] | None = None
    """Augments images [N, C, H, W] in [-1, 1] on `device` the way D sees them, with random numbers of its own; None:
    no augmentation."""
    shared: dict[str, Any] = field(default_factory=dict)
    """Results one callback leaves for a later one: `metrics`, {name: value} of this snapshot; `best`, the `value` and
    `kimg` of the best snapshot by the first metric; `grid`, the path of the newest sample grid."""


class Callback:
    """Does nothing; subclasses override what they need."""

    def __init__(self, context: CallbackContext) -> None:
        self.context = context

    def on_start(self, state: TrainingState) -> None:
        """Called once, after a possible resume, before the first iteration."""

    def on_step(self, state: TrainingState) -> None:
        """Called after every iteration. Must not read a tensor's value (that would synchronise the device)."""

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Called at the end of every tick.

        Args:
            state: the training state; read only.
            stats: means over the tick: `loss/G`, `loss/D`, `loss/D_r1`, ..., `scores/real`, `scores/fake`,
                `images_per_sec`, `sec_per_kimg`, `elapsed_sec`, `data_wait` (share of time), `augment_p`, `kimg`,
                `tick`, `snapshot` (1 when this tick ends with a snapshot); in a run that grows `resolution` (nominal
                side), `lod` and `alpha` of the last iteration.
        """

    def on_end(self, state: TrainingState) -> None:
        """Called when the run is complete or was asked to stop; the last state is saved already."""
