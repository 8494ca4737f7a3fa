"""The Wasserstein loss with gradient penalty.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), Equation 3; ProGAN paper, Appendix A (drift
term) and Appendix A.2 (target 750 for CIFAR-10, with the penalty divided by its square).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from limner.ops.conv import no_weight_gradients

USES_REAL_LOGITS = False
"""Whether the generator's loss compares with the logits of real pictures."""


def generator_loss(fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
    """Mean of -D(fake) over logits [N, 1]."""
    return -fake_logits.mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of D(fake) less mean of D(real)."""
    return fake_logits.mean() - real_logits.mean()


def gradient_penalty(
    logits_of: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor, mix: Tensor, *, target: float = 1.0
) -> Tensor:
    """Return (|gradient of D| - target)^2 / target^2 between each real and generated picture.

    Args:
        logits_of: D, from pictures [N, C, H, W] to logits [N, 1].
        reals: [N, C, H, W].
        fakes: [N, C, H, W].
        mix: [N] in [0, 1], share of the real picture.
        target: gradient norm at which there is no penalty.

    Returns:
        [N]; the loss is a weight (10 in both papers) times its mean.
    """
    images = torch.lerp(fakes.detach(), reals.detach(), mix[:, None, None, None]).requires_grad_()
    with no_weight_gradients():
        (gradient,) = torch.autograd.grad(logits_of(images).sum(), images, create_graph=True)
    norms = torch.linalg.vector_norm(gradient, dim=(1, 2, 3))
    return (norms / target - 1).square()


def drift(real_logits: Tensor) -> Tensor:
    """Mean square of D(real), which keeps D's output near zero (ProGAN paper, Appendix A: weight 0.001)."""
    return real_logits.square().mean()
