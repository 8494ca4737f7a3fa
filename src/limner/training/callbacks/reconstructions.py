"""Writes grids of pictures and their reconstructions to the folder `samples` while an encoder is trained.

    000000.png         before training; then one grid a snapshot, named by its kimg

Pictures of the data set fill every other row, from the first; under each picture is what the generator makes of its
code, with constant noise. The same pictures are shown every time, so that grids compare.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from limner import images
from limner.errors import ConfigError
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.callbacks.samples import BATCH_PIXELS, FOLDER, choose_cells, grid_paths
from limner.training.clock import sample_name
from limner.training.state import TrainingState


def make(context: CallbackContext) -> Callback:
    """Return the callback.

    Raises:
        ConfigError: the run trains no encoder.
    """
    if context.config.encoder is None:
        raise ConfigError(
            "callbacks.names: 'reconstructions' is for runs that train an encoder, preset "
            f"{context.config.preset} does not; drop it"
        )
    return Reconstructions(context)


class Reconstructions(Callback):
    """See the module."""

    def __init__(self, context: CallbackContext) -> None:
        super().__init__(context)
        self._written_nimg = -1

    def on_start(self, state: TrainingState) -> None:
        """Choose the pictures and, in a fresh run, show them with the untrained encoder."""
        dataset, G = self.context.dataset, state.G
        assert G is not None
        chosen, self._columns = choose_cells(dataset, self.context.config.seed, by_class=G.c_dim > 0)
        num_rows = max(len(chosen) // self._columns // 2, 1)
        chosen = chosen[: num_rows * self._columns]
        pixels = torch.from_numpy(np.stack([dataset.image(int(i)) for i in chosen]))
        self._pictures = pixels.float() / 127.5 - 1  # [cells, C, H, W]
        self._c = torch.from_numpy(dataset.label_vectors(chosen)) if G.c_dim else None  # [cells, c_dim]
        if state.nimg == 0:
            self._write(state)
        elif grids := grid_paths(self.context.run_dir):
            self.context.shared["grid"] = grids[-1]

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Write a grid when this tick ends with a snapshot."""
        if stats.get("snapshot"):
            self._write(state)

    def on_end(self, state: TrainingState) -> None:
        """Write a last grid unless the encoder has not changed since the one before."""
        if state.nimg != self._written_nimg:
            self._write(state)

    def _write(self, state: TrainingState) -> None:
        rows = zip(self._pictures.split(self._columns), self._reconstruct(state).split(self._columns), strict=True)
        cells = torch.cat([part for pair in rows for part in pair])  # [2 cells, C, H, W]
        sheet = images.grid(images.to_pil(cells), columns=self._columns)
        path = self.context.run_dir / FOLDER / f"{sample_name(state.nimg)}.png"
        self.context.shared["grid"] = images.save_png(sheet, path)
        self._written_nimg = state.nimg

    @torch.no_grad()
    def _reconstruct(self, state: TrainingState) -> Tensor:
        """Return G(E(x)) of the pictures shown, [cells, C, H, W] on the CPU, as E is in use: in evaluation mode."""
        E, G, device = state.E, state.G, self.context.device
        assert E is not None
        assert G is not None
        height, width = self.context.dataset.resolution
        batch = min(max(BATCH_PIXELS // (height * width), 1), 16)
        parts = []
        E.eval()
        for start in range(0, len(self._pictures), batch):
            cells = slice(start, start + batch)
            c = None if self._c is None else self._c[cells].to(device)
            parts.append(G.synthesis(E.encode(self._pictures[cells].to(device), G, c)).cpu())
        E.train()
        return torch.cat(parts)
