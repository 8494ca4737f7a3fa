"""The objective of StyleGAN2: logistic loss, R1 and path length regularization, lazy or not.

Source: StyleGAN2 paper, Section 3.1 (lazy regularization), Section 3.2 (path length), Appendix B (weights, intervals);
StyleGAN paper, Section 3.1 (style mixing). While a run grows, R1 is that of pictures scaled up to full size, as
official training shows them to D.

Deviations:
- The moving average of path lengths is a constant in the penalty, as in the paper's text.
- w_avg follows the fakes of the main phases of G and D.
- R1 differentiates with respect to the augmented pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.config import check_limits
from limner.losses.logistic import discriminator_loss, generator_loss
from limner.losses.path_length import path_lengths
from limner.losses.r1 import r1_penalty
from limner.papers import base
from limner.papers.base import Batch, Draws, ObjectiveContext, Phase
from limner.papers.stylegan2.discriminator import Discriminator
from limner.papers.stylegan2.generator import Generator


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of the losses."""

    r1_gamma: float = 10.0
    """Weight of R1 (StyleGAN2 paper, Appendix B)."""
    r1_interval: int = 16
    """Iterations between R1 steps (StyleGAN2 paper, Section 3.1); 1: a term of every step of D."""
    pl_weight: float = 2.0
    """Weight of path length regularization; 0: off."""
    pl_interval: int = 4
    """Iterations between path length steps (official StyleGAN2 training: 4)."""
    pl_decay: float = 0.01
    """Speed of the moving average of path lengths."""
    pl_batch_shrink: int = 2
    """Path length steps use the batch divided by this."""
    style_mixing_prob: float = 0.9
    """Probability of mixing two latents (StyleGAN paper, Table 2); 0: off."""

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("r1_interval", "pl_interval", "pl_batch_shrink"), ">= 1")
        limits = {"pl_decay": "> 0, <= 1", "style_mixing_prob": ">= 0, <= 1"}
        check_limits(self, "objective", **counts, **limits, r1_gamma=">= 0", pl_weight=">= 0")


class Objective(base.Objective):
    """Phases G, G_pl every `pl_interval`, D, D_r1 every `r1_interval`; with interval 1, D carries R1 itself."""

    G: Generator
    D: Discriminator

    def __init__(self, config: ObjectiveConfig, G: Generator, D: Discriminator, context: ObjectiveContext) -> None:
        super().__init__()
        self.config, self.context = config, context
        object.__setattr__(self, "G", G)  # held, not owned: the training state saves the networks
        object.__setattr__(self, "D", D)
        self.pl_mean: Tensor
        self.register_buffer("pl_mean", torch.zeros(()))

    def phases(self) -> list[Phase]:
        """See `base.Objective.phases`."""
        phases = [Phase("G", "G", 1, self.loss_G, needs_images=False)]
        if self.config.pl_weight:
            phases.append(Phase("G_pl", "G", self.config.pl_interval, self.loss_G_pl, needs_images=False))
        phases.append(Phase("D", "D", 1, self.loss_D))
        if self.config.r1_gamma and self.config.r1_interval > 1:
            phases.append(Phase("D_r1", "D", self.config.r1_interval, self.loss_D_r1))
        return phases

    def loss_G(self, batch: Batch) -> dict[str, Tensor]:
        """Logistic loss of G."""
        c = batch.draws.labels()
        ws = self._map(batch, c, update_w_avg=True)
        images = self._synthesize(ws, batch)
        logits = self.D(self._augment(images, batch.draws), c, lod=batch.lod)
        return {"loss": generator_loss(logits), "scores/fake": logits.detach().mean()}

    def loss_G_pl(self, batch: Batch) -> dict[str, Tensor]:
        """Path length penalty (StyleGAN2 paper, Equation 4), times the interval."""
        draws, config = batch.draws, self.config
        total = draws.reduced_total(config.pl_batch_shrink)
        ws = self._map(batch, draws.labels(total), total)
        images = self._synthesize(ws, batch, total)
        lengths = path_lengths(images, ws, draws.randn(*images.shape[1:], total=total))
        mean = self.context.reduce_mean(lengths.detach().mean())
        self.pl_mean.lerp_(mean, config.pl_decay)
        penalty = (lengths - self.pl_mean).square().mean()
        return {"loss": penalty * (config.pl_weight * config.pl_interval), "path_length": mean}

    def loss_D(self, batch: Batch) -> dict[str, Tensor]:
        """Logistic loss of D, with R1 when that is due in every iteration."""
        with torch.no_grad():
            c = batch.draws.labels()
            ws = self._map(batch, c, update_w_avg=True)
            fakes = self._augment(self._synthesize(ws, batch), batch.draws)
            reals = self._augment(batch.images, batch.draws)
        has_r1 = self.config.r1_gamma > 0 and self.config.r1_interval == 1
        reals = reals.detach().requires_grad_(has_r1)
        fake_logits = self.D(fakes, c, lod=batch.lod)
        real_logits = self.D(reals, batch.c, lod=batch.lod)
        values = {
            "loss": discriminator_loss(real_logits, fake_logits),
            "scores/real": real_logits.detach().mean(),
            "signs/real": real_logits.detach().sign().mean(),
        }
        if has_r1:
            regularizer, values["r1_penalty"] = self._r1(real_logits, reals, batch.lod)
            values["loss"] = values["loss"] + regularizer
        return values

    def loss_D_r1(self, batch: Batch) -> dict[str, Tensor]:
        """R1 penalty times gamma / 2, times the interval."""
        with torch.no_grad():
            reals = self._augment(batch.images, batch.draws)
        reals = reals.detach().requires_grad_(True)
        loss, penalty = self._r1(self.D(reals, batch.c, lod=batch.lod), reals, batch.lod)
        return {"loss": loss, "r1_penalty": penalty}

    def _r1(self, real_logits: Tensor, reals: Tensor, lod: float) -> tuple[Tensor, Tensor]:
        """The weighted penalty [] to minimise, and the penalty [] by itself, detached.

        A picture scaled up by 2^L and averaged down again is itself, and each of the 4^L copies of a pixel has a 4^L-th
        of its derivative: the squared norm at full size is a 4^L-th.
        """
        penalty = r1_penalty(real_logits, reals).mean() / 4 ** math.floor(lod)
        return penalty * (self.config.r1_gamma / 2 * self.config.r1_interval), penalty.detach()

    def _map(self, batch: Batch, c: Tensor | None, total: int | None = None, *, update_w_avg: bool = False) -> Tensor:
        """Draw latents and mix two of them at a random layer in use: ws [share, num_ws, w_dim]."""
        G, draws = self.G, batch.draws
        ws = G.mapping(draws.randn(G.z_dim, total=total), c)
        if update_w_avg:
            G.update_w_avg(self.context.reduce_mean(ws[:, 0].detach().mean(0)))
        if not self.config.style_mixing_prob:
            return ws
        is_mixed = draws.scalar() < self.config.style_mixing_prob
        crossover = 1 + (draws.scalar() * (self._num_layers(batch.lod) - 1)).floor()
        layers = torch.arange(G.num_ws, device=ws.device)
        second = G.mapping(draws.randn(G.z_dim, total=total), c)
        use_second = is_mixed & (layers >= crossover)  # [num_ws]
        return torch.where(use_second[:, None], second, ws)

    def _synthesize(self, ws: Tensor, batch: Batch, total: int | None = None) -> Tensor:
        """Pictures [share, C, H >> floor(lod), W >> floor(lod)] with fresh noise in the layers in use."""
        num_maps = self._num_layers(batch.lod) - 1
        shapes = self.G.noise_shapes[:num_maps]
        noises = [batch.draws.randn(1, *shape, total=total) for shape in shapes]
        return self.G.synthesis_network(ws, noises or [None] * num_maps, batch.lod)

    def _num_layers(self, lod: float) -> int:
        """Styles in use at `lod`; all but the last take a noise map."""
        return self.G.num_ws - 2 * math.floor(lod)

    def _augment(self, images: Tensor, draws: Draws) -> Tensor:
        augment = self.context.augment
        return images if augment is None else augment(images, draws)
