"""In-domain inversion: optimisation from the encoder's code, drawn to codes that the encoder would give back.

Source: IDInvert paper (Zhu et al. 2020), Section 3.2 and Equation 4: start at E(x); pixels, a perceptual network, and
lambda_dom times the squared distance of the code from E(G(code)). The encoder is frozen but gradients pass through it.
Settings of the published code: Adam, learning rate 0.01, 100 steps, lambda_dom 2, every term a mean.

Deviations:
- The weight of the perceptual term is calibrated (see `engine.terms`); the published 5e-5 belongs to one network.
- The best step is kept, not the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from limner.config import check_limits
from limner.inversion import base
from limner.inversion.base import Inversion, Task
from limner.inversion.engine.codes import encode
from limner.inversion.engine.descent import Evaluation, descend
from limner.inversion.engine.terms import Comparison, calibration, stamp, weighted
from limner.latents import Latents


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of in-domain inversion."""

    steps: int = 100
    """Updates (published code)."""
    lr: float = 0.01
    """Learning rate of Adam (published code)."""
    pixel_weight: float = 1.0
    """Weight of the mean squared error of pixels."""
    perceptual_weight: float = 1.0
    """Weight of the calibrated perceptual distance."""
    domain_weight: float = 2.0
    """Weight of the mean squared distance of the code from E(G(code)), lambda_dom (published code)."""

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("pixel_weight", "perceptual_weight", "domain_weight", "steps"), ">= 0")
        check_limits(self, "in_domain", lr="> 0", **weights)


class Method(base.Method):
    """Adam on w+ with the encoder in the loss."""

    config: Config
    needs_encoder = True

    def run(self, task: Task) -> Inversion:
        """See `base.Method.run`."""
        config, generator, encoder = self.config, task.generator, self.encoder
        assert encoder is not None
        scale = calibration(self.perceptual, generator, task.c)
        compare = Comparison(task.images, task.masks, self.perceptual, scale=scale)
        weights = {
            "pixel": config.pixel_weight,
            "perceptual": config.perceptual_weight,
            "domain": config.domain_weight,
        }
        c = None if task.c is None else task.c.expand(len(task.images), -1)
        ws = encode(task, encoder).clone().requires_grad_()

        def evaluate(share: float) -> Evaluation:
            images = generator.synthesis(ws)
            terms = compare(images)
            if config.domain_weight:
                terms["domain"] = (ws - encoder.encode(images, generator, c)).square().mean((1, 2))
            return Evaluation(loss=weighted(terms, weights), terms=terms, images=images, parts={"ws": ws})

        best = descend([ws], evaluate, steps=config.steps, lr=lambda share: config.lr, on_step=task.on_step)
        return Inversion(
            latents=Latents("w+", best.kept["ws"]),
            ws=best.kept["ws"],
            images=best.kept["images"],
            losses=best.losses,
            kept_step=best.step,
            stamp=stamp(self.perceptual, scale),
        )
