"""Moving average of the generator's weights.

Source: ProGAN paper, Section 6.2; half-life form and ramp-up as in official StyleGAN2-ADA training.
"""

from __future__ import annotations

import torch
from torch import nn

from limner.config import EmaConfig


def ema_decay(config: EmaConfig, *, batch: int, nimg: int) -> float:
    """Return the decay of one iteration: 0.5 ** (batch / half-life).

    Args:
        config: half-life and ramp-up.
        batch: images per iteration.
        nimg: images shown so far.
    """
    half_life = config.kimg * 1000
    if config.rampup is not None:
        half_life = min(half_life, nimg * config.rampup)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the parameters of `average` towards those of `current`; copy its buffers."""
    torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - decay)
    torch._foreach_copy_(list(average.buffers()), list(current.buffers()))
