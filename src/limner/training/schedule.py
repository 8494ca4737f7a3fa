"""What changes during training, as a pure function of the images shown so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

from limner.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The settings of one iteration."""

    batch: int
    """Total batch."""
    lr_scale: float
    """Factor on the learning rates."""


def moment(config: RunConfig, nimg: int) -> Moment:
    """Return the settings after `nimg` images.

    The learning rate rises as exp(-5 (1 - p)^2) with p the elapsed part of the ramp-up (official ProGAN training).
    """
    rampup = config.schedule.lr_rampup_kimg * 1000
    lr_scale = 1.0 if nimg >= rampup else math.exp(-5 * (1 - nimg / rampup) ** 2)
    return Moment(batch=config.batch, lr_scale=lr_scale)
