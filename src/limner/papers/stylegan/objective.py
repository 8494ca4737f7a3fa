"""The objective of StyleGAN: any adversarial loss with its penalties, and style mixing.

Source: StyleGAN paper, Section 2.1 and Appendix C (non-saturating logistic loss with R1 in every step for FFHQ, WGAN-GP
for CelebA-HQ), Section 3.1 with Table 2 (mixing regularization); ProGAN paper, Appendix A.1 (WGAN-GP, drift, D before
G). While a run grows, gradients in penalties are those of pictures scaled up to full size, as official training shows
them to D.

Deviations:
- w_avg follows the fakes of both phases.
- Penalties differentiate with respect to the augmented pictures.
- Fakes of the phase of D take the labels of the real pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.config import check_limits
from limner.errors import ConfigError
from limner.losses.adversarial import Adversarial
from limner.losses.r1 import r1_penalty
from limner.papers import base
from limner.papers.base import Batch, Draws, ObjectiveContext, Phase
from limner.papers.stylegan.discriminator import Discriminator
from limner.papers.stylegan.generator import Generator


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of the losses."""

    loss: str = "logistic"
    """One of `losses.adversarial.LOSSES`: `logistic` (non-saturating), `wgan`, `lsgan`, `hinge`, `relativistic`."""
    r1_gamma: float = 10.0
    """Weight of R1 (StyleGAN paper, Appendix C); 0: off."""
    r1_interval: int = 1
    """Iterations between R1 steps (StyleGAN2 paper, Section 3.1: 16); 1: a term of every step of D, as published."""
    r2_gamma: float = 0.0
    """Weight of R2, the same penalty on generated pictures; 0: off."""
    gp_weight: float = 0.0
    """Weight of the gradient penalty of WGAN-GP (ProGAN paper, Appendix A.1: 10); 0: off."""
    gp_target: float = 1.0
    """Gradient norm that is not penalised."""
    drift: float = 0.0
    """Weight of the mean square of D's logits of real pictures (ProGAN paper, Appendix A.1: 0.001); 0: off."""
    style_mixing_prob: float = 0.9
    """Probability of mixing latents (StyleGAN paper, Table 2); 0: off."""
    max_latents: int = 2
    """Most latents of a mixed picture; each number from 2 on is as likely."""
    mixing_scope: Literal["batch", "sample"] = "batch"
    """Draw the layers that change to another latent once a batch, as official training, or for every picture."""

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("r1_gamma", "r2_gamma", "gp_weight", "drift"), ">= 0")
        limits = {"gp_target": "> 0", "style_mixing_prob": ">= 0, <= 1", "max_latents": ">= 2", "r1_interval": ">= 1"}
        check_limits(self, "objective", **weights, **limits)
        _ = self.adversarial  # checks the loss

    @property
    def adversarial(self) -> Adversarial:
        """The loss, with the penalties of every step."""
        return Adversarial(
            loss=self.loss,
            r1_gamma=self.r1_gamma if self.r1_interval == 1 else 0.0,
            r2_gamma=self.r2_gamma,
            gp_weight=self.gp_weight,
            gp_target=self.gp_target,
            drift=self.drift,
        )


class Objective(base.Objective):
    """Phases D, D_r1 every `r1_interval` if that is more than 1, and G.

    Raises:
        ConfigError: more latents are to be mixed than the generator has layers.
    """

    G: Generator
    D: Discriminator

    def __init__(self, config: ObjectiveConfig, G: Generator, D: Discriminator, context: ObjectiveContext) -> None:
        super().__init__()
        if config.style_mixing_prob and config.max_latents > G.num_ws:
            raise ConfigError(
                f"objective.max_latents: got {config.max_latents}, expected at most {G.num_ws}, the layers of this "
                "generator that take a w; set objective.style_mixing_prob=0 to mix none"
            )
        self.config, self.context = config, context
        object.__setattr__(self, "G", G)  # held, not owned: the training state saves the networks
        object.__setattr__(self, "D", D)

    def phases(self) -> list[Phase]:
        """See `base.Objective.phases`."""
        phases = [Phase("D", "D", 1, self.loss_D)]
        if self.config.r1_gamma and self.config.r1_interval > 1:
            phases.append(Phase("D_r1", "D", self.config.r1_interval, self.loss_D_r1))
        uses_reals = self.config.adversarial.uses_real_logits
        return [*phases, Phase("G", "G", 1, self.loss_G, needs_images=uses_reals)]

    def loss_D(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of D with the penalties of every step."""
        draws = batch.draws
        with torch.no_grad():
            fakes = self._augment(self._synthesize(batch, batch.c), draws)
            reals = self._augment(batch.images, draws)
        mix = draws.rand() if self.config.gp_weight else None
        adversarial = self.config.adversarial.at(batch.lod)
        loss, stats = adversarial.discriminator_terms(
            lambda images: self.D(images, batch.c, lod=batch.lod), reals, fakes, mix
        )
        return {"loss": loss, **stats}

    def loss_D_r1(self, batch: Batch) -> dict[str, Tensor]:
        """R1 penalty times gamma / 2, times the interval."""
        with torch.no_grad():
            reals = self._augment(batch.images, batch.draws)
        reals = reals.detach().requires_grad_(True)
        penalty = r1_penalty(self.D(reals, batch.c, lod=batch.lod), reals).mean()
        factor = self.config.r1_gamma / 4 ** math.floor(batch.lod) / 2 * self.config.r1_interval
        return {"loss": penalty * factor, "r1_penalty": penalty.detach()}

    def loss_G(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of G."""
        adversarial, draws = self.config.adversarial, batch.draws
        if not adversarial.uses_real_logits:
            c = draws.labels()
            fakes = self._augment(self._synthesize(batch, c), draws)
            return {"loss": adversarial.generator_loss(self.D(fakes, c, lod=batch.lod))}
        fakes = self._augment(self._synthesize(batch, batch.c), draws)
        with torch.no_grad():
            real_logits = self.D(self._augment(batch.images, draws), batch.c, lod=batch.lod)
        return {"loss": adversarial.generator_loss(self.D(fakes, batch.c, lod=batch.lod), real_logits)}

    def _synthesize(self, batch: Batch, c: Tensor | None) -> Tensor:
        """Pictures [share, C, H >> floor(lod), W >> floor(lod)] of fresh latents and fresh noise."""
        G, draws = self.G, batch.draws
        count = G.synthesis_network.num_layers(batch.lod)
        ws = self._map(draws, c, count)
        noises = [draws.randn(1, *shape) for shape in G.noise_shapes[:count]]
        return G.synthesis_network(ws, noises or [None] * count, batch.lod)

    def _map(self, draws: Draws, c: Tensor | None, num_layers: int) -> Tensor:
        """Draw latents and mix them over the `num_layers` layers in use: ws [share, num_ws, w_dim]."""
        G = self.G
        z = draws.randn(G.z_dim)[:, None]  # [share, 1, z_dim]
        if self.config.style_mixing_prob:
            z = torch.cat([z, draws.randn(self.config.max_latents - 1, G.z_dim)], 1)  # [share, K, z_dim]
        count = z.shape[1]
        labels = None if c is None else c.repeat_interleave(count, 0)
        ws = G.mapping(z.flatten(0, 1), labels).unflatten(0, (-1, count))  # [share, K, num_ws, w_dim]
        w = ws[:, 0] if G.config.per_layer_w else ws[:, 0, 0]  # [share, num_ws, w_dim] or [share, w_dim]
        G.update_w_avg(self.context.reduce_mean(w.detach().mean(0)))
        if count == 1:
            return ws[:, 0]
        which = F.pad(self._segments(draws, num_layers), (0, G.num_ws - num_layers))  # [share or 1, num_ws]
        return ws.take_along_dim(which[:, None, :, None], 1)[:, 0]

    def _segments(self, draws: Draws, num_layers: int) -> Tensor:
        """Which latent each layer follows, [share or 1, num_layers]: it changes at random distinct layers."""
        config = self.config
        if config.mixing_scope == "sample":
            uniform = draws.rand(num_layers + 1)
        else:
            uniform = torch.stack([draws.scalar() for _ in range(num_layers + 1)])[None]
        is_mixed = uniform[:, 0] < config.style_mixing_prob
        num_changes = is_mixed * (1 + (uniform[:, 1] * (config.max_latents - 1)).floor())
        rank = uniform[:, 2:].argsort(1).argsort(1)  # [share or 1, num_layers - 1], a random order of the crossovers
        return F.pad((rank < num_changes[:, None]).cumsum(1), (1, 0))

    def _augment(self, images: Tensor, draws: Draws) -> Tensor:
        augment = self.context.augment
        return images if augment is None else augment(images, draws)
