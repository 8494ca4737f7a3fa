"""The projector of StyleGAN2: one w, and noise maps, by a perceptual distance.

Source: StyleGAN2 paper, Appendix D, with the settings of the official projector: 1,000 steps from the average w; Adam
with a learning rate of 0.1 that rises over the first 5 % and falls by a cosine over the last 25 %; w disturbed by
normal noise of 0.05 deviations of W that vanishes at 75 %; LPIPS at 256 pixels at most; 1e5 times the correlation of
the noise maps (see `engine.noise`).

Deviations:
- Without a perceptual network the mean squared error of pixels takes its place.
- The best step is kept, not the last; the code kept is the one that was rendered, disturbance included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.config import check_limits
from limner.inversion import base
from limner.inversion.base import Inversion, Task
from limner.inversion.engine.codes import spread_of_w
from limner.inversion.engine.descent import Evaluation, descend
from limner.inversion.engine.noise import correlation, draw_noises, normalize
from limner.inversion.engine.terms import Comparison, stamp, weighted
from limner.latents import Latents


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the projector."""

    steps: int = 1000
    """Updates."""
    lr: float = 0.1
    """Highest learning rate of Adam."""
    lr_rampup: float = 0.05
    """Share of the steps over which the learning rate rises."""
    lr_rampdown: float = 0.25
    """Share of the steps over which it falls."""
    w_noise: float = 0.05
    """Disturbance of w at the start, in deviations of W."""
    w_noise_share: float = 0.75
    """Share of the steps after which w is not disturbed any more."""
    pixel_weight: float = 0.0
    """Weight of the mean squared error of pixels; 1 where there is no perceptual network."""
    perceptual_weight: float = 1.0
    """Weight of the perceptual distance, not calibrated."""
    noise_weight: float = 1e5
    """Weight of the correlation of the noise maps."""
    seed: int = 0
    """Of noise maps and disturbance."""

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("pixel_weight", "perceptual_weight", "noise_weight", "w_noise", "steps"), ">= 0")
        shares = dict.fromkeys(("lr_rampup", "lr_rampdown", "w_noise_share"), "> 0, <= 1")
        check_limits(self, "project", lr="> 0", seed=">= 0", **weights, **shares)


def learning_rate(config: Config, share: float) -> float:
    """Return the learning rate when `share` of the steps are done."""
    falling = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / config.lr_rampdown))
    return config.lr * falling * min(1.0, share / config.lr_rampup)


class Method(base.Method):
    """Adam on w and the noise maps."""

    config: Config

    def run(self, task: Task) -> Inversion:
        """See `base.Method.run`."""
        config, generator, count = self.config, task.generator, len(task.images)
        compare = Comparison(task.images, task.masks, self.perceptual)
        pixel_weight = config.pixel_weight if self.perceptual is not None else config.pixel_weight or 1.0
        weights = {"pixel": pixel_weight, "perceptual": config.perceptual_weight, "noise": config.noise_weight}
        spread = spread_of_w(generator, task.c)
        stream = torch.Generator().manual_seed(config.seed)
        noises = draw_noises(generator, count, stream)
        w = spread.mean.mean(0).repeat(count, 1).requires_grad_()  # [N, w_dim]

        def disturbed(share: float) -> Tensor:
            size = config.w_noise * spread.deviation * max(0.0, 1 - share / config.w_noise_share) ** 2
            return w + size * torch.randn(1, generator.w_dim, generator=stream).to(w)

        def evaluate(share: float) -> Evaluation:
            code = disturbed(share)
            ws = code[:, None].expand(-1, generator.num_ws, -1)
            images = generator.synthesis(ws, noises=noises)
            terms = compare(images)
            if noises:
                terms["noise"] = correlation(noises)
            parts = {"code": code, **{f"noise/{index}": noise for index, noise in enumerate(noises)}}
            return Evaluation(loss=weighted(terms, weights), terms=terms, images=images, parts=parts)

        best = descend(
            [w, *noises],
            evaluate,
            steps=config.steps,
            lr=lambda share: learning_rate(config, share),
            on_step=task.on_step,
            after=lambda: normalize(noises),
        )
        code = best.kept["code"]
        return Inversion(
            latents=Latents("w", code),
            ws=code[:, None].repeat(1, generator.num_ws, 1),
            images=best.kept["images"],
            losses=best.losses,
            kept_step=best.step,
            noises=tuple(best.kept[f"noise/{index}"] for index in range(len(noises))),
            stamp=stamp(self.perceptual, 1.0),
        )
