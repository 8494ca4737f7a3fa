"""The contract of an objective: its phases, and what each of them gets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn


class Draws(Protocol):
    """Random numbers of one phase: drawn for the total batch, handed out as this process's share.

    Every process draws the same numbers and keeps its own samples, so a result does not depend on how many processes
    share a batch.
    """

    device: torch.device

    def randn(self, *shape: int, total: int | None = None) -> Tensor:
        """Normal numbers [share, *shape]; `total` samples in all (None: the whole batch)."""

    def rand(self, *shape: int, total: int | None = None) -> Tensor:
        """Uniform numbers in [0, 1), [share, *shape]."""

    def scalar(self) -> Tensor:
        """One uniform number [], the same for every sample and process."""

    def labels(self, total: int | None = None) -> Tensor | None:
        """Labels [share, c_dim] drawn from the training set's; None when unconditional."""

    def reduced_total(self, divisor: int) -> int:
        """A `total` for a phase on a part of the batch: every share divided by `divisor`, at least one sample each."""


@dataclass(frozen=True)
class Batch:
    """What a phase's loss gets."""

    images: Tensor
    """Real pictures [N, C, H >> floor(lod), W >> floor(lod)] in [-1, 1], faded."""
    c: Tensor | None
    """Their labels [N, c_dim]; None when unconditional."""
    draws: Draws
    """Random numbers for this phase."""
    lod: float = 0.0
    """Level of detail being trained (see `ops.growing`)."""


@dataclass(frozen=True)
class Phase:
    """One optimiser step of an objective."""

    name: str
    """`D`, `D_r1`, `G`, `G_pl`, ...: the name in logs and in the non-finite guard's message."""
    module: Literal["G", "D", "E", "C"]
    """Whose parameters move."""
    interval: int
    """Run every this many iterations."""
    loss: Callable[[Batch], dict[str, Tensor]]
    """Return `loss` (to be minimised, mean over the share) and detached statistics."""
    needs_images: bool = True
    """Whether `loss` looks at real pictures."""


def identity(tensor: Tensor) -> Tensor:
    """The stand-in for cross-process averaging in a single process."""
    return tensor


@dataclass(kw_only=True)
class ObjectiveContext:
    """What the training loop lends to an objective."""

    augment: Callable[[Tensor, Draws], Tensor] | None = None
    """Augmentation applied to every picture that D sees; None: none."""
    reduce_mean: Callable[[Tensor], Tensor] = field(default=identity)
    """Average a small tensor over processes."""


class Objective(nn.Module, ABC):
    """The losses of a paper, as phases. Its buffers (such as `pl_mean`) are part of the training state."""

    G: nn.Module
    D: nn.Module
    context: ObjectiveContext

    @abstractmethod
    def phases(self) -> list[Phase]:
        """The phases of one iteration, in the order they run."""

    def about(self) -> dict[str, Any]:
        """What a snapshot's config.json says of the losses besides the configuration; plain values."""
        return {}
