"""R1: the gradient penalty on real pictures (Mescheder et al., 2018, Equation 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.ops.conv import no_weight_gradients


def r1_penalty(real_logits: Tensor, images: Tensor) -> Tensor:
    """Return the squared norm of the gradient of D at each real picture.

    Args:
        real_logits: [N, 1], computed from `images`.
        images: [N, C, H, W], requiring gradients.

    Returns:
        [N]; the loss is gamma / 2 times its mean.
    """
    with no_weight_gradients():
        (gradient,) = torch.autograd.grad(real_logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))
