"""The loss of the classifiers in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from limner.papers.base import Batch, ObjectiveContext
from limner.papers.classifier import Objective, ObjectiveConfig


class Given(nn.Module):
    """A classifier that answers with the first two pixels of a picture."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :2]

    def targets(self, c: Tensor) -> Tensor:
        return c


def loss(images: Tensor, c: Tensor, context: ObjectiveContext | None = None) -> dict[str, Tensor]:
    (phase,) = Objective(ObjectiveConfig(), Given(), context or ObjectiveContext()).phases()
    assert (phase.name, phase.module, phase.interval) == ("C", "C", 1)
    return phase.loss(Batch(images, c, None))


def test_the_loss_is_the_mean_of_minus_the_logarithm_of_what_the_truth_was_given() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, -3.0]])
    values = loss(logits[:, None], torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    expected = [-math.log(1 / (1 + math.exp(-right))) for right in (2.0, 1.0, -0.5, -3.0)]
    assert float(values["loss"]) == pytest.approx(sum(expected) / 4)
    assert float(values["accuracy/shown"]) == 0.5


def test_statistics_carry_no_gradient() -> None:
    images = torch.zeros(2, 1, 2, requires_grad=True)
    values = loss(images, torch.ones(2, 2))
    assert values["loss"].requires_grad
    assert not values["accuracy/shown"].requires_grad


def test_it_learns_from_augmented_pictures() -> None:
    context = ObjectiveContext(augment=lambda images, draws: -images)
    images, c = torch.full((1, 1, 2), 3.0), torch.zeros(1, 2)
    assert float(loss(images, c, context)["loss"]) == pytest.approx(math.log(1 + math.exp(-3)), rel=1e-5)
