"""Multiplicative Gaussian noise in the discriminator of a least squares GAN.

Source: ProGAN paper, Appendix B: it hinders a discriminator that overshoots its targets.
"""

from __future__ import annotations

import math

from torch import Tensor

STRENGTH_FACTOR = 0.2
OVERSHOOT_LIMIT = 0.5
SCORE_DECAY = 0.9


def multiplicative_noise(x: Tensor, noise: Tensor, strength: Tensor) -> Tensor:
    """Return x (1 + strength sqrt(C) noise).

    Args:
        x: [N, C] or [N, C, H, W].
        noise: [N, C] or [N, C, 1, 1] standard normal numbers.
        strength: [] non-negative.

    Returns:
        The shape of x.
    """
    return x * (1 + (strength * math.sqrt(x.shape[1])) * noise)


def noise_strength(score: Tensor) -> Tensor:
    """Return the strength 0.2 max(0, score - 0.5)^2 for a running average of D's output, []."""
    return STRENGTH_FACTOR * (score - OVERSHOOT_LIMIT).clamp(min=0).square()


def advance_score(score: Tensor, logits: Tensor) -> Tensor:
    """Return the running average of D's output moved on: 0.9 score + 0.1 mean(logits), detached."""
    return score * SCORE_DECAY + logits.detach().mean() * (1 - SCORE_DECAY)
