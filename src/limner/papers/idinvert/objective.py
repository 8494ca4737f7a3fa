"""The objectives of IDInvert: the domain-guided encoder and the conventional one.

Source: IDInvert paper, Equation 1 (conventional: the codes of synthesised pictures), Equations 2 and 3 (domain-guided:
real pictures through the fixed generator, against a discriminator with a gradient penalty on real ones), Section 4.1
(weights); official training for what the paper leaves open: every loss a mean, the logistic loss, R1 in every step, E
and then D on the same batch, stored noise maps. Weights of the losses of E, all means:

    pixel_weight       mean over pictures, channels and pixels of (x - G(E(x)))^2, pictures in [-1, 1]
    perceptual_weight  mean over pictures of the distance, scaled to the pixel loss (see `perceptual`)
    adversarial_weight mean of softplus(-D(G(E(x))))
    spread_weight      mean over pictures, layers and entries of (w_layer - mean w)^2, w+ alone

Deviations:
- The perceptual weight is relative to the pixel loss; the paper's 5e-5 is of the scale of its network.
- D sees augmented pictures where the run augments; R1 differentiates with respect to them.
- `spread_weight` is not IDInvert's, whose generator has its own w for every layer: where one w serves all layers, it
  keeps a w+ near them (the penalty of Tov et al. 2021, e4e, as a mean).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from limner.config import check_limits
from limner.errors import ConfigError
from limner.losses.logistic import discriminator_loss, generator_loss
from limner.losses.r1 import r1_penalty
from limner.papers import base
from limner.papers.base import Batch, Discriminator, Generator, ObjectiveContext, Phase
from limner.papers.idinvert.encoder import Encoder
from limner.papers.idinvert.perceptual import Perceptual


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of the losses. Weights and networks of pictures play no part in learning from codes."""

    learn_from: Literal["pictures", "codes"] = "pictures"
    """`pictures`: reconstruct real ones (domain-guided, Equation 2); `codes`: those of synthesised pictures
    (conventional, Equation 1)."""
    pixel_weight: float = 1.0
    """Weight of the pixel loss (official training: 1)."""
    perceptual: Literal["stlpips", "lpips", "lite0", "none"] = "lpips"
    """Perceptual network: `lpips` (VGG16 of ImageNet), `stlpips` or `lite0` (weights come as packages), or none."""
    perceptual_weight: float = 1.0
    """Weight of the perceptual loss; 1: as large as the pixel loss of blurred pictures (see `perceptual`)."""
    adversarial_weight: float = 0.1
    """Weight of the adversarial loss (IDInvert paper, Section 4.1: 0.1; official script: 0.08); 0: no D is trained."""
    r1_gamma: float = 10.0
    """Weight of R1, times half the squared norm (IDInvert paper, Section 4.1)."""
    spread_weight: float = 0.0
    """Weight of the spread of the w of all layers around their mean; 0: off (the paper's)."""

    def __post_init__(self) -> None:
        weights = ("pixel_weight", "perceptual_weight", "adversarial_weight", "r1_gamma", "spread_weight")
        check_limits(self, "objective", **dict.fromkeys(weights, ">= 0"))
        if self.learn_from == "pictures" and not (self.pixel_weight or self.has_perceptual or self.adversarial_weight):
            raise ConfigError(
                "objective: got no loss for the encoder, expected a weight above 0; set objective.pixel_weight=1"
            )

    @property
    def has_perceptual(self) -> bool:
        """Whether a perceptual network is used."""
        return self.learn_from == "pictures" and self.perceptual != "none" and self.perceptual_weight > 0

    @property
    def has_adversarial(self) -> bool:
        """Whether a discriminator is trained."""
        return self.learn_from == "pictures" and self.adversarial_weight > 0


class Objective(base.Objective):
    """Phases E and, where there is an adversarial loss, D."""

    E: Encoder
    G: Generator
    D: Discriminator

    def __init__(
        self, config: ObjectiveConfig, E: Encoder, G: Generator, D: Discriminator, context: ObjectiveContext
    ) -> None:
        super().__init__()
        self.config, self.context = config, context
        for name, network in (("E", E), ("G", G), ("D", D)):
            object.__setattr__(self, name, network)  # held, not owned: the training state saves the networks
        self.perceptual = None
        if config.has_perceptual:
            self.perceptual = Perceptual(config.perceptual, G.img_resolution, next(E.parameters()).device)

    def phases(self) -> list[Phase]:
        """See `base.Objective.phases`."""
        if self.config.learn_from == "codes":
            return [Phase("E", "E", 1, self.loss_E_codes, needs_images=False)]
        phases = [Phase("E", "E", 1, self.loss_E)]
        return [*phases, Phase("D", "D", 1, self.loss_D)] if self.config.has_adversarial else phases

    def about(self) -> dict[str, Any]:
        """See `base.Objective.about`: the perceptual network, its scale, and the checksum of its weights."""
        if self.perceptual is None:
            return {}
        network = self.perceptual
        return {"perceptual": {"name": network.name, "scale": network.scale, "sha256": network.network.sha256}}

    def loss_E(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction of real pictures (Equation 2)."""
        config, images = self.config, batch.images
        ws = self._to_ws(batch)
        reconstructions = self.G.synthesis(ws)
        pixel = (reconstructions - images).square().mean()
        loss, values = config.pixel_weight * pixel, {"pixel_loss": pixel.detach()}
        if self.perceptual is not None:
            with torch.no_grad():
                features = self.perceptual.features(images)
            distance = self.perceptual.loss(features, reconstructions)
            loss, values["perceptual_loss"] = loss + config.perceptual_weight * distance, distance.detach()
        if config.has_adversarial:
            logits = self.D(self._augment(reconstructions, batch), batch.c)
            adversarial = generator_loss(logits)
            loss, values["adversarial_loss"] = loss + config.adversarial_weight * adversarial, adversarial.detach()
        if config.spread_weight:
            spread = (ws - ws.mean(1, keepdim=True)).square().mean()
            loss, values["spread"] = loss + config.spread_weight * spread, spread.detach()
        return {"loss": loss, **values}

    def loss_E_codes(self, batch: Batch) -> dict[str, Tensor]:
        """Mean squared error of the codes of synthesised pictures (Equation 1)."""
        with torch.no_grad():
            c = batch.draws.labels()
            z = batch.draws.randn(self.G.z_dim)
            ws = self.G.mapping(z, c)
            images = self.G.synthesis(ws)
        codes = self._encode(images)
        return {"loss": (codes - (z if self.E.space == "z" else ws)).square().mean()}

    def loss_D(self, batch: Batch) -> dict[str, Tensor]:
        """Real pictures against their reconstructions, with R1 (Equation 3)."""
        with torch.no_grad():
            fakes = self._augment(self.G.synthesis(self._to_ws(batch)), batch)
            reals = self._augment(batch.images, batch)
        has_r1 = self.config.r1_gamma > 0
        reals = reals.detach().requires_grad_(has_r1)
        fake_logits, real_logits = self.D(fakes, batch.c), self.D(reals, batch.c)
        values = {
            "loss": discriminator_loss(real_logits, fake_logits),
            "scores/real": real_logits.detach().mean(),
            "scores/fake": fake_logits.detach().mean(),
            "signs/real": real_logits.detach().sign().mean(),
        }
        if has_r1:
            penalty = r1_penalty(real_logits, reals).mean()
            values["loss"] = values["loss"] + penalty * (self.config.r1_gamma / 2)
            values["r1_penalty"] = penalty.detach()
        return values

    def _to_ws(self, batch: Batch) -> Tensor:
        """Encode the real pictures: ws [share, num_ws, w_dim]."""
        codes = self._encode(batch.images)
        return self.G.mapping(codes, batch.c) if self.E.space == "z" else codes

    def _encode(self, images: Tensor) -> Tensor:
        """Encode, and give every process the mean of all running statistics of batch normalisation."""
        codes: Tensor = self.E(images)
        running = {name: buffer for name, buffer in self.E.named_buffers() if "running" in name}
        if running and self.E.training:
            means = self.context.reduce_mean(torch.cat([*running.values()]))
            for name, mean in zip(running, means.split([len(buffer) for buffer in running.values()]), strict=True):
                module, _, buffer = name.rpartition(".")
                setattr(self.E.get_submodule(module), buffer, mean.clone())  # the backward pass still has the other one
        return codes

    def _augment(self, images: Tensor, batch: Batch) -> Tensor:
        augment = self.context.augment
        return images if augment is None else augment(images, batch.draws)
