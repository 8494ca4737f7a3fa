"""The relativistic pairing loss: D ranks a generated picture against a real one.

Source: Jolicoeur-Martineau, "On Relativistic f-GANs" (2020), RpGAN; Huang et al., "The GAN is dead; long live the GAN!"
(R3GAN, 2024), Section 2.1, which adds R1 and R2. Picture n of one batch is paired with picture n of the other.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from limner.errors import ConfigError, ShapeError

USES_REAL_LOGITS = True
"""Whether the generator's loss compares with the logits of real pictures."""


def generator_loss(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """Mean of -log sigmoid(D(fake) - D(real)) over pairs of logits [N, 1].

    Raises:
        ConfigError: without logits of real pictures.
        ShapeError: batches of two sizes.
    """
    if real_logits is None:
        raise ConfigError(
            "the relativistic loss got no real_logits, expected one for every generated picture; give the generator's "
            "phase real pictures"
        )
    return F.softplus(_margins(real_logits, fake_logits)).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of -log sigmoid(D(real) - D(fake)) over pairs of logits [N, 1].

    Raises:
        ShapeError: batches of two sizes.
    """
    return F.softplus(-_margins(real_logits, fake_logits)).mean()


def _margins(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    if real_logits.shape != fake_logits.shape:
        real, fake = list(real_logits.shape), list(fake_logits.shape)
        raise ShapeError(
            f"the relativistic loss got logits {real} of real and {fake} of generated pictures, expected one shape; "
            "draw as many pictures as there are real ones"
        )
    return real_logits - fake_logits
