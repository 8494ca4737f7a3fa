"""The objective of ProGAN: WGAN-GP with a drift term, an auxiliary classifier, and the losses it was compared with.

Source: ProGAN paper, Appendix A.1 (lambda 10, drift 0.001, one update of D for one of G), Appendix B (least squares
with multiplicative noise) and the appendix on CIFAR-10 (target 750); Odena et al. 2017 (AC-GAN), with weight 1 on real
and generated pictures for D and on generated ones for G as in the official training.

Deviations:
- The gradient penalty and R1 differentiate with respect to the augmented pictures.
- With `d_repeats` k, G moves at the first of every k iterations, after D; fakes and latents are drawn anew for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.config import check_limits
from limner.errors import ConfigError, closest
from limner.losses.adversarial import LOSSES, Adversarial
from limner.ops.multiplicative_noise import advance_score, multiplicative_noise, noise_strength
from limner.papers import base
from limner.papers.base import Batch, Draws, ObjectiveContext, Phase
from limner.papers.progan.discriminator import Discriminator, LayerNoise
from limner.papers.progan.generator import Generator


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of the losses."""

    loss: str = "wgan"
    """One of wgan, lsgan, logistic, hinge, relativistic."""
    gp_weight: float = 10.0
    """Weight of the gradient penalty between real and generated pictures; 0: off."""
    gp_target: float = 1.0
    """Gradient norm at which it is zero (ProGAN paper, appendix on CIFAR-10: 750)."""
    drift: float = 0.001
    """Weight of the mean square of D(real); 0: off."""
    r1_gamma: float = 0.0
    """Weight of R1, gradients at real pictures; 0: off."""
    r2_gamma: float = 0.0
    """Weight of R2, gradients at generated pictures; 0: off."""
    class_weight: float = 1.0
    """Weight of the auxiliary classifier's cross entropy; labels are needed for it."""
    d_repeats: int = 1
    """Updates of D for one of G (ProGAN paper, Table 1, rows a to c: 5)."""
    multiplicative_noise: bool = False
    """Disturb the layers of D when it overshoots (ProGAN paper, Appendix B); for `lsgan` alone."""

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("gp_weight", "drift", "r1_gamma", "r2_gamma", "class_weight"), ">= 0")
        check_limits(self, "objective", **weights, gp_target="> 0", d_repeats=">= 1")
        if self.loss not in LOSSES:
            raise ConfigError(
                f"objective.loss: got '{self.loss}', expected one of {', '.join(LOSSES)}.{closest(self.loss, LOSSES)}"
            )
        if self.multiplicative_noise and self.loss != "lsgan":
            raise ConfigError(
                f"objective.multiplicative_noise: got true with loss '{self.loss}', expected 'lsgan', whose targets it "
                "is measured by; set objective.loss=lsgan or objective.multiplicative_noise=false"
            )

    @property
    def tells_classes_apart(self) -> bool:
        """Whether labels have to be classes: the softmax of the auxiliary classifier knows one a picture."""
        return self.class_weight > 0


class Objective(base.Objective):
    """Phases D, and G every `d_repeats`."""

    G: Generator
    D: Discriminator

    def __init__(self, config: ObjectiveConfig, G: Generator, D: Discriminator, context: ObjectiveContext) -> None:
        super().__init__()
        self.config, self.context = config, context
        object.__setattr__(self, "G", G)  # held, not owned: the training state saves the networks
        object.__setattr__(self, "D", D)
        self.adversarial = Adversarial(
            loss=config.loss,
            r1_gamma=config.r1_gamma,
            r2_gamma=config.r2_gamma,
            gp_weight=config.gp_weight,
            gp_target=config.gp_target,
            drift=config.drift,
        )
        self.fake_score: Tensor
        if config.multiplicative_noise:
            self.register_buffer("fake_score", torch.zeros(()))

    def phases(self) -> list[Phase]:
        """See `base.Objective.phases`."""
        uses_reals = self.adversarial.uses_real_logits
        return [
            Phase("D", "D", 1, self.loss_D),
            Phase("G", "G", self.config.d_repeats, self.loss_G, needs_images=uses_reals),
        ]

    def loss_D(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of D with its penalties, and cross entropy of its classes."""
        draws = batch.draws
        with torch.no_grad():
            c = draws.labels()
            fakes = self._augment(self._generate(draws, c, batch.lod), draws)
            reals = self._augment(batch.images, draws)
        noise = self._layer_noise(draws)
        class_logits: list[Tensor] = []  # of reals, of fakes, of mixtures: the order the terms ask in

        def logits_of(images: Tensor) -> Tensor:
            logits, classes = self.D.score_and_classes(images, lod=batch.lod, noise=noise)
            class_logits.append(classes)
            return logits

        mix = draws.rand() if self.config.gp_weight else None
        loss, statistics = self.adversarial.at(batch.lod).discriminator_terms(logits_of, reals, fakes, mix)
        if batch.c is not None and c is not None:
            real, fake = class_loss(class_logits[0], batch.c), class_loss(class_logits[1], c)
            loss = loss + self.config.class_weight * (real + fake)
            statistics |= {"classes/real": real.detach(), "classes/fake": fake.detach()}
        if self.config.multiplicative_noise:
            self.fake_score.copy_(advance_score(self.fake_score, self.context.reduce_mean(statistics["scores/fake"])))
        return {"loss": loss, **statistics}

    def loss_G(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of G, and cross entropy of the classes D sees in its pictures."""
        draws = batch.draws
        c = draws.labels()
        fakes = self._augment(self._generate(draws, c, batch.lod), draws)
        noise = self._layer_noise(draws)
        logits, classes = self.D.score_and_classes(fakes, lod=batch.lod, noise=noise)
        real_logits = None
        if self.adversarial.uses_real_logits:
            with torch.no_grad():
                reals = self._augment(batch.images, draws)
                real_logits, _ = self.D.score_and_classes(reals, lod=batch.lod, noise=noise)
        loss = self.adversarial.generator_loss(logits, real_logits)
        if c is not None:
            loss = loss + self.config.class_weight * class_loss(classes, c)
        return {"loss": loss, "scores/fake": logits.detach().mean()}

    def _generate(self, draws: Draws, c: Tensor | None, lod: float) -> Tensor:
        """Pictures [share, C, H >> floor(lod), W >> floor(lod)] of fresh latents."""
        ws = self.G.mapping(draws.randn(self.G.z_dim), c)
        return self.G.synthesis_network(ws, lod)

    def _layer_noise(self, draws: Draws) -> LayerNoise | None:
        if not self.config.multiplicative_noise:
            return None
        strength = noise_strength(self.fake_score)
        return lambda x: multiplicative_noise(x, draws.randn(x.shape[1], *[1] * (x.ndim - 2)), strength)

    def _augment(self, images: Tensor, draws: Draws) -> Tensor:
        augment = self.context.augment
        return images if augment is None else augment(images, draws)


def class_loss(logits: Tensor, c: Tensor) -> Tensor:
    """Mean softmax cross entropy [] between logits [N, c_dim] and labels [N, c_dim] (Odena et al. 2017, Equation 3)."""
    return F.cross_entropy(logits, c.to(logits.dtype))
