"""Free optimisation of a code in Z, W or W+.

Source: Image2StyleGAN (Abdal et al. 2019): gradient descent on one w a layer, from the average w, on pixels and a
perceptual network; Adam, learning rate 0.01. IDInvert's Table 1 compares with it.

Deviations:
- 1,000 steps rather than 5,000; a perceptual network of today with a calibrated weight (see `engine.terms`).
- The best step is kept, not the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from limner.config import check_limits
from limner.inversion import base
from limner.inversion.base import Inversion, Task
from limner.inversion.engine.codes import Start, start, to_ws
from limner.inversion.engine.descent import Evaluation, descend
from limner.inversion.engine.terms import Comparison, calibration, stamp, weighted
from limner.latents import Latents, Space


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of free optimisation."""

    steps: int = 1000
    """Updates."""
    lr: float = 0.01
    """Learning rate of Adam."""
    space: Space = "w+"
    """What is searched: `z`, `w` (one w) or `w+` (one w a layer)."""
    start: Start = "mean"
    """`mean`, `random` or `encoder` (see `engine.codes.start`)."""
    pixel_weight: float = 1.0
    """Weight of the mean squared error of pixels."""
    perceptual_weight: float = 1.0
    """Weight of the calibrated perceptual distance."""
    seed: int = 0
    """Of the start `random`."""

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("pixel_weight", "perceptual_weight", "steps", "seed"), ">= 0")
        check_limits(self, "optimise", lr="> 0", **weights)


class Method(base.Method):
    """Adam on the code."""

    config: Config

    def run(self, task: Task) -> Inversion:
        """See `base.Method.run`."""
        config, generator = self.config, task.generator
        scale = calibration(self.perceptual, generator, task.c)
        compare = Comparison(task.images, task.masks, self.perceptual, scale=scale)
        weights = {"pixel": config.pixel_weight, "perceptual": config.perceptual_weight}
        code = start(task, config.space, config.start, encoder=self.encoder, seed=config.seed).requires_grad_()

        def evaluate(share: float) -> Evaluation:
            ws = to_ws(code, config.space, generator, task.c)
            images = generator.synthesis(ws)
            terms = compare(images)
            return Evaluation(loss=weighted(terms, weights), terms=terms, images=images, parts={"code": code, "ws": ws})

        best = descend([code], evaluate, steps=config.steps, lr=lambda share: config.lr, on_step=task.on_step)
        return Inversion(
            latents=Latents(config.space, best.kept["code"]),
            ws=best.kept["ws"],
            images=best.kept["images"],
            losses=best.losses,
            kept_step=best.step,
            stamp=stamp(self.perceptual, scale),
        )
