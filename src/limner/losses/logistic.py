"""The non-saturating logistic loss (Goodfellow et al., 2014; used from StyleGAN on)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

USES_REAL_LOGITS = False
"""Whether the generator's loss compares with the logits of real pictures."""


def generator_loss(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """Mean of -log sigmoid(D(fake)) over logits [N, 1]."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(D(real)) plus mean of -log(1 - sigmoid(D(fake)))."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
