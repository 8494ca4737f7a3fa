"""Random numbers that do not depend on how many processes share a batch.

Every process holds the same generator and draws for the total batch; each keeps the samples that are its own: the one
with number `start` and every `step`-th after it. With strided groups in minibatch standard deviation this makes K
processes compute the gradients of one.
"""

from __future__ import annotations

import torch
from torch import Tensor


class SharedDraws:
    """The `Draws` of one phase (see `papers.base.Draws`).

    Args:
        rng: the generator that all processes hold in the same state.
        batch: samples over all processes and accumulation rounds; a multiple of `step`.
        start: number of this share's first sample.
        step: distance between this share's samples.
        label_table: [M, c_dim] labels of the training set on the device; None when unconditional.
    """

    def __init__(
        self, rng: torch.Generator, *, batch: int, start: int = 0, step: int = 1, label_table: Tensor | None = None
    ) -> None:
        self.rng, self.batch, self.start, self.step = rng, batch, start, step
        self.label_table = label_table
        self.device = rng.device

    def randn(self, *shape: int, total: int | None = None) -> Tensor:
        """See `papers.base.Draws.randn`."""
        return self._share(torch.randn(total or self.batch, *shape, generator=self.rng, device=self.device))

    def rand(self, *shape: int, total: int | None = None) -> Tensor:
        """See `papers.base.Draws.rand`."""
        return self._share(torch.rand(total or self.batch, *shape, generator=self.rng, device=self.device))

    def scalar(self) -> Tensor:
        """See `papers.base.Draws.scalar`."""
        return torch.rand((), generator=self.rng, device=self.device)

    def labels(self, total: int | None = None) -> Tensor | None:
        """See `papers.base.Draws.labels`."""
        if self.label_table is None:
            return None
        index = (self.rand(total=total) * len(self.label_table)).long()
        return self.label_table[index]

    def reduced_total(self, divisor: int) -> int:
        """See `papers.base.Draws.reduced_total`."""
        return max(self.batch // self.step // divisor, 1) * self.step

    def _share(self, values: Tensor) -> Tensor:
        return values[self.start :: self.step] if self.step > 1 else values
