"""Writes grids of pictures to the folder `samples`: what G_ema makes of fixed latents, so that grids compare.

    reals.png          pictures of the data set
    augmented.png      the same pictures as D sees them, when the run augments
    000000.png         before training; then one grid a snapshot, named by its kimg
    before_after.png   the upper left part of the first and the newest grid

Cell i shows seed i (`z = RandomState(i).randn(1, z_dim)`), constant noise, truncation 1. A conditional network gets the
labels of the pictures of reals.png, cell by cell; classes fill a row each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from limner import images, latents
from limner.config import Resolution
from limner.errors import ConfigError
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.clock import sample_name
from limner.training.state import TrainingState

if TYPE_CHECKING:
    from limner.data.base import Dataset

FOLDER = "samples"
"""Folder of the run that holds the grids."""
COLUMNS, ROWS = 8, 6
"""Largest grid of pictures of 64 px or more; rows of classes may be more."""
SMALL_COLUMNS, SMALL_ROWS = 12, 9
"""Largest grid of smaller pictures."""
GRID_WIDTH, GRID_HEIGHT = 1024, 768
"""A grid stays within this where that leaves two pictures each way, pixels."""
CLASS_ROWS = 12
"""Most classes shown."""
BATCH_PIXELS = 2**18
"""Pictures made at a time: 16 of 128 x 128 px, and never fewer than one or more than 16."""
STRIP_WIDTH = 512
"""Width of each half of before_after.png, pixels."""


def make(context: CallbackContext) -> Callback:
    """Return the callback.

    Raises:
        ConfigError: the run has no generator.
    """
    if context.config.classifier is not None:
        raise ConfigError(
            f"callbacks.names: 'samples' is for runs with a generator, preset {context.config.preset} trains a "
            "classifier; take 'accuracy', which shows its mistakes"
        )
    return Samples(context)


class Samples(Callback):
    """See the module."""

    def __init__(self, context: CallbackContext) -> None:
        super().__init__(context)
        self.folder = context.run_dir / FOLDER
        self._written_nimg = -1

    def on_start(self, state: TrainingState) -> None:
        """Choose latents and labels, show real pictures, and, in a fresh run, the untrained network."""
        dataset, seed = self.context.dataset, self.context.config.seed
        G = state.G_ema
        assert G is not None
        is_conditional = G.c_dim > 0
        chosen, self._columns = choose_cells(dataset, seed, by_class=is_conditional)
        self._z = latents.seeds_to_z(range(len(chosen)), G.z_dim).to(self.context.device)  # [cells, z_dim]
        labels = torch.from_numpy(dataset.label_vectors(chosen)) if is_conditional else None
        self._c = None if labels is None else labels.to(self.context.device)  # [cells, c_dim]
        reals = torch.from_numpy(np.stack([dataset.image(int(i)) for i in chosen])).float() / 127.5 - 1
        self._save(reals, "reals")
        if self.context.augment is not None:
            augment, device = self.context.augment, self.context.device
            self._save(torch.cat([augment(part.to(device)).cpu() for part in reals.split(self._batch)]), "augmented")
        if state.nimg == 0:
            self._write_grid(state)
        elif grids := grid_paths(self.context.run_dir):
            self.context.shared["grid"] = grids[-1]

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Write a grid when this tick ends with a snapshot."""
        if stats.get("snapshot"):
            self._write_grid(state)

    def on_end(self, state: TrainingState) -> None:
        """Write a last grid unless the network has not changed since the one before."""
        if state.nimg != self._written_nimg:
            self._write_grid(state)

    @property
    def _batch(self) -> int:
        height, width = self.context.dataset.resolution
        return min(max(BATCH_PIXELS // (height * width), 1), 16)

    def _write_grid(self, state: TrainingState) -> None:
        G, parts = state.G_ema, []
        assert G is not None
        with torch.no_grad():
            for start in range(0, len(self._z), self._batch):
                cells = slice(start, start + self._batch)
                parts.append(G(self._z[cells], None if self._c is None else self._c[cells]).cpu())
        path = self._save(torch.cat(parts), sample_name(state.nimg))
        self._written_nimg = state.nimg
        self.context.shared["grid"] = path
        first = grid_paths(self.context.run_dir)[0]
        if first != path:
            self._write_strip(first, path)

    def _write_strip(self, first: Path, newest: Path) -> None:
        height, width = self.context.dataset.resolution
        columns = min(max(STRIP_WIDTH // width, 1), self._columns)
        rows = min(max(STRIP_WIDTH * 3 // 4 // height, 1), len(self._z) // self._columns)
        halves = [Image.open(path).crop((0, 0, columns * width, rows * height)) for path in (first, newest)]
        captions = [f"{float(path.stem):g} kimg" for path in (first, newest)]
        images.save_png(images.strip(halves, captions), self.folder / "before_after.png")

    def _save(self, pictures: Tensor, name: str) -> Path:
        """Write pictures [cells, C, H, W] in [-1, 1] as a grid."""
        sheet = images.grid(images.to_pil(pictures), columns=self._columns)
        return images.save_png(sheet, self.folder / f"{name}.png")


def grid_paths(run_dir: Path) -> list[Path]:
    """Return the sample grids of a run in the order of their kimg."""
    return sorted((run_dir / FOLDER).glob("[0-9]*.png"), key=lambda path: float(path.stem))


def grid_shape(resolution: Resolution) -> tuple[int, int]:
    """Return (rows, columns) of a grid of pictures of this size."""
    height, width = resolution
    rows, columns = (ROWS, COLUMNS) if max(resolution) >= 64 else (SMALL_ROWS, SMALL_COLUMNS)
    return min(max(GRID_HEIGHT // height, 2), rows), min(max(GRID_WIDTH // width, 2), columns)


def choose_cells(dataset: Dataset, seed: int, *, by_class: bool) -> tuple[np.ndarray, int]:
    """Return the pictures that stand for the cells of a grid, row by row, and its columns.

    Args:
        dataset: its order is shuffled by `seed`.
        seed: any whole number.
        by_class: where the labels are classes, give each row one; of many classes, evenly spread ones are taken.
    """
    rows, columns = grid_shape(dataset.resolution)
    order = np.random.RandomState(seed % 2**32).permutation(len(dataset))
    if not by_class or dataset.labels is None or dataset.labels.kind != "classes":
        return np.resize(order, rows * columns), columns
    classes = np.unique(dataset.labels.values)
    rows = min(len(classes), max(rows, GRID_WIDTH // dataset.resolution[0]), CLASS_ROWS)
    shown = classes[np.linspace(0, len(classes) - 1, rows).round().astype(int)]
    labels = dataset.labels.values[order]
    return np.concatenate([np.resize(order[labels == label], columns) for label in shown]), columns
