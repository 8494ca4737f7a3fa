"""R1 and R2: the gradient penalties on real and on generated pictures (Mescheder et al., 2018, Equations 9 and 10)."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.ops.conv import no_weight_gradients


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Return the squared norm of the gradient of D at each picture: R1 at real ones, R2 at generated ones.

    Args:
        logits: [N, 1], computed from `images`.
        images: [N, C, H, W], requiring gradients.

    Returns:
        [N]; the loss is gamma / 2 times its mean.
    """
    with no_weight_gradients():
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))
