"""Path length regularization.

Source: StyleGAN2 paper, Section 3.2, Equation 4, and Appendix B (lazily, weight 2, on half batches).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from limner.ops.conv import no_weight_gradients


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Return |J^T y| for every sample: how far the picture moves along a random direction y as w moves.

    Args:
        images: [N, C, H, W], computed from `ws`.
        ws: [N, num_ws, w_dim], requiring gradients.
        noise: [N, C, H, W] normal numbers; divided by sqrt(H W) here, so lengths do not depend on resolution.

    Returns:
        [N]: root of the mean over layers of the squared gradient norm.
    """
    direction = noise / math.sqrt(images.shape[2] * images.shape[3])
    with no_weight_gradients():
        (gradient,) = torch.autograd.grad((images * direction).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
