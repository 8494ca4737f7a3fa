"""The hinge loss (Lim and Ye, "Geometric GAN", 2017; Miyato et al., 2018, Equations 16 and 17)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

USES_REAL_LOGITS = False
"""Whether the generator's loss compares with the logits of real pictures."""


def generator_loss(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """Mean of -D(fake) over logits [N, 1]."""
    return -fake_logits.mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of max(0, 1 - D(real)) plus mean of max(0, 1 + D(fake))."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
