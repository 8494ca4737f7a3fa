"""One interface to every adversarial loss: which loss, with which penalties, as values of a configuration.

Each loss is a module of this folder with `generator_loss(fake_logits, real_logits=None)`,
`discriminator_loss(real_logits, fake_logits)` and `USES_REAL_LOGITS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

from torch import Tensor

from limner.config import check_limits
from limner.errors import ConfigError, closest
from limner.losses import hinge, logistic, lsgan, relativistic, wgan
from limner.losses.r1 import r1_penalty

MODULES: dict[str, ModuleType] = {
    "logistic": logistic,
    "wgan": wgan,
    "lsgan": lsgan,
    "hinge": hinge,
    "relativistic": relativistic,
}
LOSSES: tuple[str, ...] = tuple(MODULES)
"""Names of the losses."""


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """A loss and the weights of its penalties; 0 leaves a penalty out, and costs nothing."""

    loss: str
    """One of `LOSSES`."""
    r1_gamma: float = 0.0
    """R1: gamma / 2 times the mean squared gradient norm at real pictures (StyleGAN: 10)."""
    r2_gamma: float = 0.0
    """R2: the same at generated pictures (R3GAN: as R1)."""
    gp_weight: float = 0.0
    """Weight of the gradient penalty between real and generated pictures (ProGAN: 10)."""
    gp_target: float = 1.0
    """Gradient norm at which there is no penalty (ProGAN, CIFAR-10: 750)."""
    drift: float = 0.0
    """Weight of the mean square of D(real) (ProGAN: 0.001)."""

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ConfigError(
                f"loss: got '{self.loss}', expected one of {', '.join(LOSSES)}.{closest(self.loss, LOSSES)}"
            )
        weights = dict.fromkeys(("r1_gamma", "r2_gamma", "gp_weight", "drift"), ">= 0")
        check_limits(self, "", **weights, gp_target="> 0")

    @property
    def uses_real_logits(self) -> bool:
        """Whether the generator's loss needs the logits of real pictures."""
        return bool(MODULES[self.loss].USES_REAL_LOGITS)

    def at(self, lod: float) -> Adversarial:
        """Return the penalties for pictures of a level of detail (see `ops.growing`), as they are at full size.

        Official training shows D pictures scaled up by 2^L, which D averages down again: each of the 4^L copies of a
        pixel has a 4^L-th of its derivative, so the norm of the gradient is a 2^L-th.
        """
        scale = 2.0 ** math.floor(lod)
        return replace(
            self,
            r1_gamma=self.r1_gamma / scale**2,
            r2_gamma=self.r2_gamma / scale**2,
            gp_target=self.gp_target * scale,
        )

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the loss of G, [].

        Args:
            fake_logits: [N, 1], D of generated pictures.
            real_logits: [N, 1], D of real ones; read if `uses_real_logits`.
        """
        loss: Tensor = MODULES[self.loss].generator_loss(fake_logits, real_logits)
        return loss

    def discriminator_terms(
        self, logits_of: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor, mix: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of D and what it was made of.

        Args:
            logits_of: D, from pictures [N, C, H, W] to logits [N, 1].
            reals: [N, C, H, W].
            fakes: [N, C, H, W], taken as constants.
            mix: [N] in [0, 1], share of the real picture where the gradient penalty is taken; None: `gp_weight` is 0.

        Returns:
            The loss [], penalties included, and detached means [] under `scores/real`, `scores/fake`, `signs/real`
            (of the logits; not for least squares, whose D is not signed), `r1_penalty`, `r2_penalty`,
            `gradient_penalty`, as far as they apply.
        """
        reals, fakes = reals.detach(), fakes.detach()
        if self.r1_gamma:
            reals.requires_grad_()
        if self.r2_gamma:
            fakes.requires_grad_()
        real_logits, fake_logits = logits_of(reals), logits_of(fakes)
        loss: Tensor = MODULES[self.loss].discriminator_loss(real_logits, fake_logits)
        stats = {"scores/real": real_logits.mean(), "scores/fake": fake_logits.mean()}
        if self.loss != "lsgan":
            stats["signs/real"] = real_logits.sign().mean()
        if self.drift:
            loss = loss + self.drift * wgan.drift(real_logits)
        if self.r1_gamma:
            stats["r1_penalty"] = r1_penalty(real_logits, reals).mean()
            loss = loss + self.r1_gamma / 2 * stats["r1_penalty"]
        if self.r2_gamma:
            stats["r2_penalty"] = r1_penalty(fake_logits, fakes).mean()
            loss = loss + self.r2_gamma / 2 * stats["r2_penalty"]
        if self.gp_weight:
            if mix is None:
                raise ConfigError(
                    f"the gradient penalty (gp_weight={self.gp_weight:g}) got no mix, expected a number in [0, 1] for "
                    "every picture"
                )
            penalty = wgan.gradient_penalty(logits_of, reals, fakes, mix, target=self.gp_target)
            stats["gradient_penalty"] = penalty.mean()
            loss = loss + self.gp_weight * stats["gradient_penalty"]
        return loss, {name: value.detach() for name, value in stats.items()}
