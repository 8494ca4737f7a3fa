"""The encoder's answer, in one pass: `E(x)`.

Source: IDInvert paper (Zhu et al. 2020), Section 3.1: a code from a picture without any optimisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from limner.inversion import base
from limner.inversion.base import Inversion, Step, Task
from limner.inversion.engine.codes import encode
from limner.inversion.engine.terms import Comparison, calibration, stamp, weighted
from limner.latents import Latents


@dataclass(frozen=True, kw_only=True)
class Config:
    """The encoder has no settings."""


class Method(base.Method):
    """One pass of the encoder; the losses are told, not minimised."""

    needs_encoder = True

    @torch.no_grad()
    def run(self, task: Task) -> Inversion:
        """See `base.Method.run`."""
        assert self.encoder is not None
        ws = encode(task, self.encoder)
        images = task.generator.synthesis(ws)
        scale = calibration(self.perceptual, task.generator, task.c)
        terms = Comparison(task.images, task.masks, self.perceptual, scale=scale)(images)
        losses = {"loss": weighted(terms, dict.fromkeys(terms, 1.0)), **terms}
        task.on_step(Step(number=0, total=0, images=images, losses=losses))
        return Inversion(
            latents=Latents("w+", ws),
            ws=ws,
            images=images,
            losses=losses,
            kept_step=torch.zeros(len(ws), dtype=torch.long),
            stamp=stamp(self.perceptual, scale),
        )
