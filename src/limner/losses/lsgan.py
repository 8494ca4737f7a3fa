"""The least squares loss (Mao et al., 2017) in the variant of ProGAN's comparison.

Source: the targets and the weight are those of the official ProGAN training code of the paper's tables (Theano). D
answers 0 to real pictures and 1 to generated ones: its output grows with fakeness, unlike that of the other losses.
"""

from __future__ import annotations

from torch import Tensor

USES_REAL_LOGITS = False
"""Whether the generator's loss compares with the logits of real pictures."""

REAL_TARGET, FAKE_TARGET = 0.0, 1.0
FAKE_WEIGHT = 0.1


def generator_loss(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """Mean square of D(fake) against the target of real pictures, over outputs [N, 1]."""
    return (fake_logits - REAL_TARGET).square().mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean square of D(real) against its target, plus a tenth of that of D(fake) against its own."""
    return (real_logits - REAL_TARGET).square().mean() + FAKE_WEIGHT * (fake_logits - FAKE_TARGET).square().mean()
