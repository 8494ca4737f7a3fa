"""Means of detached scalars over a tick, collected without synchronising the device."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.training.distributed import Processes


class Statistics:
    """Sums on the device, read once per tick."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Count one detached scalar."""
        value = value.detach().float()
        self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._counts[name] = self._counts.get(name, 0) + 1

    def take(self, processes: Processes) -> dict[str, float]:
        """Return the means over the tick and over processes, by name, and start again."""
        if not self._sums:
            return {}
        means = torch.stack([self._sums[name] / self._counts[name] for name in self._sums])
        values = processes.mean(means).tolist()
        names = list(self._sums)
        self._sums, self._counts = {}, {}
        return dict(zip(names, values, strict=True))
