"""Gradient descent on codes that keeps, for every picture, the best step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.errors import NonFiniteError
from limner.inversion.base import OnStep, Step


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a step is worth."""

    loss: Tensor
    """[N] to be minimised."""
    terms: Mapping[str, Tensor]
    """Name -> [N], unweighted."""
    images: Tensor
    """[N, C, H, W]."""
    parts: Mapping[str, Tensor]
    """Name -> [N, ...]: what made the pictures, and is kept with them."""


class Best:
    """For every picture, the step with the least loss so far: its loss, terms, picture and parts."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}
        self.step = torch.zeros(0, dtype=torch.long)

    def offer(self, number: int, evaluation: Evaluation) -> None:
        """Keep a step where it is better."""
        terms = {f"loss/{name}": term for name, term in evaluation.terms.items()}
        new = {"loss": evaluation.loss, "images": evaluation.images, **evaluation.parts, **terms}
        if not self.kept:
            self.kept = {name: torch.zeros_like(value, requires_grad=False) for name, value in new.items()}
            self.kept["loss"] = torch.full_like(evaluation.loss, torch.inf, requires_grad=False)
            self.step = torch.zeros(len(evaluation.loss), dtype=torch.long)
        better = evaluation.loss.detach() < self.kept["loss"]  # [N], False where not a number
        for name, value in new.items():
            places = better.view(-1, *(1,) * (value.ndim - 1))
            self.kept[name] = torch.where(places, value.detach(), self.kept[name])
        self.step[better.cpu()] = number

    @property
    def losses(self) -> dict[str, Tensor]:
        """Losses of the steps kept, `loss` first.

        Raises:
            NonFiniteError: no step of a picture had a finite loss.
        """
        lost = self.kept["loss"].isinf().nonzero().flatten().tolist()
        if lost:
            raise NonFiniteError(
                f"invert: no step of picture {lost[0]} had a finite loss; lower the learning rate (--lr) or check the "
                "generator"
            )
        terms = {name.removeprefix("loss/"): term for name, term in self.kept.items() if name.startswith("loss/")}
        return {"loss": self.kept["loss"], **terms}


def descend(
    variables: Sequence[Tensor],
    evaluate: Callable[[float], Evaluation],
    *,
    steps: int,
    lr: Callable[[float], float],
    on_step: OnStep,
    after: Callable[[], None] = lambda: None,
) -> Best:
    """Minimise each picture's loss by Adam and return the best steps.

    The loss of a batch is the sum over its pictures, so pictures do not change one another's steps.

    Args:
        variables: leaf tensors [N, ...] to move.
        evaluate: share of the steps done, in [0, 1] -> what the variables are worth now.
        steps: updates; the state after the last one is evaluated, too.
        lr: share of the steps done -> learning rate.
        on_step: told of every evaluation.
        after: called after every update.
    """
    best = Best()
    optimizer = torch.optim.Adam(variables, lr=0.0, betas=(0.9, 0.999), eps=1e-8)
    for number in range(steps + 1):
        share, is_last = number / max(steps, 1), number == steps
        with torch.set_grad_enabled(not is_last):
            evaluation = evaluate(share)
        best.offer(number, evaluation)
        losses = {"loss": evaluation.loss.detach(), **{k: v.detach() for k, v in evaluation.terms.items()}}
        on_step(Step(number=number, total=steps, images=evaluation.images.detach(), losses=losses))
        if not is_last:
            optimizer.zero_grad()
            evaluation.loss.sum().backward()
            optimizer.param_groups[0]["lr"] = lr(share)
            optimizer.step()
            after()
    return best
