"""Normalisations of the style-based generators."""

from __future__ import annotations

from torch import Tensor

NORM_EPS = 1e-8


def pixel_norm(x: Tensor, *, dim: int = 1, eps: float = NORM_EPS) -> Tensor:
    """Divide by the root mean square over `dim` (ProGAN paper, Section 4.2): the result has mean square 1 along it."""
    return x * (x.square().mean(dim, keepdim=True) + eps).rsqrt()


def instance_norm(x: Tensor, *, eps: float = NORM_EPS) -> Tensor:
    """Give every channel of every sample [N, C, H, W] mean 0 and (biased) variance 1 over its pixels."""
    x = x - x.mean((2, 3), keepdim=True)
    return x * (x.square().mean((2, 3), keepdim=True) + eps).rsqrt()


def adain(x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = NORM_EPS) -> Tensor:
    """Adaptive instance normalisation (StyleGAN paper, Equation 1).

    Args:
        x: [N, C, H, W].
        scale: [N, C].
        shift: [N, C].
        eps: added to the variance.

    Returns:
        [N, C, H, W]: every channel normalised, times its scale, plus its shift.
    """
    return instance_norm(x, eps=eps) * scale[:, :, None, None] + shift[:, :, None, None]
