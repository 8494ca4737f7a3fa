"""Augmentation during training: which pipeline, and the control of p.

Source: StyleGAN2-ADA paper, Section 3.1: p rises while E[sign(D(real))] exceeds the target. Deviation: the sign is
measured in the main phase of D only, not also in its R1 phase.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from limner.config import AugmentConfig
from limner.data.augment import AugmentPipe, DiffAugment
from limner.papers.base import Draws
from limner.training.distributed import Processes
from limner.training.draws import SharedDraws
from limner.training.state import TrainingState

PREVIEW_P = 0.8
"""Probability shown in the grid of augmented reals when p adapts."""


def build(config: AugmentConfig, p: Tensor, device: torch.device) -> Callable[[Tensor, Draws], Tensor] | None:
    """Return the augmentation of pictures [N, C, H, W] with probability `p` (read at every call), or None."""
    if config.mode == "none":
        return None
    pipe = (DiffAugment(config.policy) if config.mode == "diffaugment" else AugmentPipe(config.pipe)).to(device)
    return lambda images, draws: pipe(images, p, draws)


def preview(config: AugmentConfig, device: torch.device, seed: int) -> Callable[[Tensor], Tensor] | None:
    """Return the augmentation as it will look, for a grid of pictures [N, C, H, W]; None when there is none."""
    p = torch.tensor(PREVIEW_P if config.mode == "ada" else config.p, device=device)
    augment = build(config, p, device)
    if augment is None:
        return None
    rng = torch.Generator(device).manual_seed(seed)
    return lambda images: augment(images, SharedDraws(rng, batch=len(images)))


def count_signs(state: TrainingState, mean_sign: Tensor) -> None:
    """Add one round's mean of sign(D(real)) to the statistics."""
    state.augment_stats += torch.stack([mean_sign, torch.ones_like(mean_sign)])


def adjust(state: TrainingState, config: AugmentConfig, processes: Processes, batch: int) -> None:
    """Move p by one step towards the target (StyleGAN2-ADA paper, Section 3.1), without reading it.

    Args:
        state: holds p and the signs counted since the last step.
        config: target, interval and speed.
        processes: those that share the batch.
        batch: total batch.
    """
    total, count = processes.sum(state.augment_stats)
    step = batch * config.interval / (config.speed_kimg * 1000)
    direction = torch.sign(total / count - config.target)
    state.augment_p.add_(direction * step).clamp_(min=0)
    state.augment_stats.zero_()
