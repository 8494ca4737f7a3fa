"""The objective of the classifiers: is each attribute there or not.

Source: StyleGAN paper, Section 4.2: a classifier for each attribute. The loss is the sigmoid cross-entropy of a logit,
mean over pictures and attributes; networks of their own for each attribute learn as if alone, because Adam does not see
the scale of a loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from limner.papers import base
from limner.papers.base import Batch, ObjectiveContext, Phase
from limner.papers.classifier.network import Classifier


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of the loss: none."""


class Objective(base.Objective):
    """The phase C."""

    C: Classifier

    def __init__(self, config: ObjectiveConfig, C: Classifier, context: ObjectiveContext) -> None:
        super().__init__()
        self.config, self.context = config, context
        object.__setattr__(self, "C", C)  # held, not owned: the training state saves the network

    def phases(self) -> list[Phase]:
        """See `base.Objective.phases`."""
        return [Phase("C", "C", 1, self.loss_C)]

    def loss_C(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the pictures' labels, and the share of answers that are right."""
        assert batch.c is not None
        augment = self.context.augment
        images = batch.images if augment is None else augment(batch.images, batch.draws)
        logits, targets = self.C(images), self.C.targets(batch.c)  # [share, A]
        right = ((logits.detach() > 0) == (targets > 0)).float().mean()
        return {"loss": F.binary_cross_entropy_with_logits(logits, targets), "accuracy/shown": right}
