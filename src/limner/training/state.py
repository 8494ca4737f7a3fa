"""The training state: one dataclass whose fields are exactly what resuming needs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from limner.papers.base import Discriminator, Generator, Objective


@dataclass(kw_only=True)
class TrainingState:
    """Networks, averages, optimisers and counters of a run.

    Data order is a function of (seed, nimg), so no sampler needs saving.
    """

    G: Generator
    """Generator, trained."""
    D: Discriminator
    """Discriminator, trained."""
    G_ema: Generator
    """Moving average of G; what samples, metrics and users see."""
    objective: Objective
    """Its buffers hold `pl_mean`."""
    optimizers: dict[str, torch.optim.Optimizer]
    """Module name (`G`, `D`) -> optimiser."""
    rng: torch.Generator
    """Source of every random draw of training, the same on every process."""
    augment_p: torch.Tensor
    """[] probability of augmentation; adjusted by ADA."""
    augment_stats: torch.Tensor
    """[2] sum of sign(D(real)) and count since p was last adjusted."""
    nimg: int = 0
    """Real images shown to D so far."""
    iteration: int = 0
    """Iterations so far."""
    tick: int = 0
    """Ticks so far."""
    elapsed_sec: float = 0.0
    """Training time so far over all sessions of the run."""
    best: dict[str, float] | None = None
    """`value` and `kimg` of the best snapshot by the first metric; None before the first."""
