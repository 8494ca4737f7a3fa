"""Pivotal tuning: project, then tune the generator until it makes the picture at that code.

Source: PTI (Roich et al. 2022), Sections 3.1 to 3.3: a pivot by the projector, 450 steps; 350 steps of Adam on the
generator's weights, learning rate 3e-4, on pixels and a perceptual network; it stops at a perceptual distance of 0.06.
Locality regularisation: at a code drawn a fixed way from the pivot, the tuned picture is held to that of the untuned
generator by the same two terms, with weight 0.1.

Deviations:
- Locality is on, as in the paper; the published code leaves it off.
- The way from the pivot is measured in deviations of W; the published 30 belongs to one generator.
- The pivot's noise maps are kept and used.
- The best step is kept, not the last.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limner.config import check_limits
from limner.inversion import base, project
from limner.inversion.base import Inversion, Step, Task
from limner.inversion.engine.codes import spread_of_w
from limner.inversion.engine.descent import Best, Evaluation
from limner.inversion.engine.terms import Comparison, weighted
from limner.papers.base import Generator


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of pivotal tuning."""

    pivot_steps: int = 450
    """Updates of the projector that finds the pivot."""
    steps: int = 350
    """Updates of the generator."""
    lr: float = 3e-4
    """Learning rate of Adam on the generator's parameters."""
    stop: float = 0.06
    """Perceptual distance at which tuning ends."""
    pixel_weight: float = 1.0
    """Weight of the mean squared error of pixels."""
    perceptual_weight: float = 1.0
    """Weight of the perceptual distance, not calibrated."""
    locality_weight: float = 0.1
    """Weight of the same terms between tuned and untuned generator near the pivot; 0: none."""
    locality_radius: float = 1.0
    """How far from the pivot, in deviations of W."""
    seed: int = 0
    """Of the projector and of the codes near the pivot."""

    def __post_init__(self) -> None:
        names = ("pivot_steps", "steps", "stop", "pixel_weight", "perceptual_weight", "locality_weight", "seed")
        check_limits(self, "pti", lr="> 0", locality_radius="> 0", **dict.fromkeys(names, ">= 0"))


class Method(base.Method):
    """Projector, then Adam on a copy of the generator, one picture after the other."""

    config: Config

    def run(self, task: Task) -> Inversion:
        """See `base.Method.run`."""
        config, total = self.config, self.config.pivot_steps + self.config.steps
        settings = project.Config(steps=config.pivot_steps, seed=config.seed)
        pivot = project.Method(settings, perceptual=self.perceptual).run(
            replace(task, on_step=lambda step: task.on_step(replace(step, total=total)))
        )
        spread = spread_of_w(task.generator, task.c)
        tunings = [self._tune(task, pivot, index, spread.deviation) for index in range(len(task.images))]
        bests = [best for best, _ in tunings]
        losses = [best.losses for best in bests]
        return Inversion(
            latents=pivot.latents,
            ws=pivot.ws,
            images=torch.cat([best.kept["images"] for best in bests]),
            losses={name: torch.cat([loss[name] for loss in losses]) for name in losses[0]},
            kept_step=torch.cat([best.step for best in bests]) + config.pivot_steps,
            noises=pivot.noises,
            deltas=tuple(delta for _, delta in tunings),
            stamp=pivot.stamp,
        )

    def _tune(self, task: Task, pivot: Inversion, index: int, deviation: float) -> tuple[Best, dict[str, Tensor]]:
        """Tune a copy of the generator to one picture; return the best step and what it added to the parameters."""
        config, original = self.config, task.generator
        tuned = copy.deepcopy(original)
        parameters = dict(tuned.requires_grad_(True).named_parameters())
        masks = None if task.masks is None else task.masks[index : index + 1]
        compare = Comparison(task.images[index : index + 1], masks, self.perceptual)
        weights = {"pixel": config.pixel_weight, "perceptual": config.perceptual_weight}
        ws, noises = pivot.ws[index : index + 1], [noise[index : index + 1] for noise in pivot.noises]
        stream = torch.Generator().manual_seed(config.seed)
        optimizer = torch.optim.Adam(parameters.values(), lr=config.lr)
        best, kept = Best(), {name: parameter.detach().clone() for name, parameter in parameters.items()}
        for number in range(config.steps + 1):
            images = tuned.synthesis(ws, noises=noises)
            terms = compare(images)
            loss = weighted(terms, weights)
            best.offer(number, Evaluation(loss=loss, terms=terms, images=images, parts={}))
            if best.step[0] == number:
                kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
            told = {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}
            place = {"number": config.pivot_steps + number, "total": config.pivot_steps + config.steps, "first": index}
            task.on_step(Step(images=images.detach(), losses=told, **place))
            is_near = "perceptual" in terms and bool(terms["perceptual"] < config.stop)
            if is_near or number == config.steps:
                break
            if config.locality_weight:
                near = near_pivot(original, ws, config.locality_radius * deviation, stream, task.c)
                loss = loss + config.locality_weight * self._drift(original, tuned, near, noises, weights)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
        state = dict(original.named_parameters())
        return best, {name: value - state[name] for name, value in kept.items() if not torch.equal(value, state[name])}

    def _drift(
        self,
        original: Generator,
        tuned: Generator,
        ws: Tensor,
        noises: Sequence[Tensor],
        weights: Mapping[str, float],
    ) -> Tensor:
        """Return how far the tuned picture [1] of a code is from the untuned one."""
        with torch.no_grad():
            wanted = original.synthesis(ws, noises=noises)
        return weighted(Comparison(wanted, None, self.perceptual)(tuned.synthesis(ws, noises=noises)), weights)


@torch.no_grad()
def near_pivot(generator: Generator, ws: Tensor, distance: float, stream: torch.Generator, c: Tensor | None) -> Tensor:
    """Return a code [1, num_ws, w_dim] at a distance (of each layer's w) from the pivot, towards a random latent's."""
    z = torch.randn(1, generator.z_dim, generator=stream).to(ws)
    way = generator.mapping(z, c) - ws
    return ws + distance * way / way.norm(dim=2, keepdim=True).clamp_min(1e-12)
