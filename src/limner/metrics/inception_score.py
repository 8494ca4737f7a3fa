"""Inception Score: how sure the Inception network is of each picture, and how varied its verdicts are (`is50k`).

Source: Salimans et al., "Improved Techniques for Training GANs" (2016), Section 4: exp(E[KL(p(y|x) || p(y))]) over
50,000 pictures in 10 consecutive splits; the mean over splits, and their standard deviation under `/std`. p(y|x) is the
softmax over 1,008 classes of the logits without their bias, as in the original code. Higher is better.

It knows nothing of real pictures. Off ImageNet (faces, say) its classes mean nothing; it is here for the papers'
tables. Per split, KL sums to H - n sum(q log q) with q the mean of p and H the sum of p log p, so nothing but sums is
kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from limner.errors import ConfigError
from limner.metrics.base import Metric, State, Statistic
from limner.metrics.engine.statistics import SplitProbabilities

NUM_SPLITS = 10


@dataclass(frozen=True, kw_only=True)
class InceptionScore(Metric):
    """See the module."""

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (
            SplitProbabilities(
                count=self.num_generated, extractor="inception", output="logits_unbiased", splits=NUM_SPLITS
            ),
        )

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        scores = split_scores(generated[0])
        if not torch.isfinite(scores).all():
            raise ConfigError(
                f"{self.name}: got {self.num_generated} pictures, expected at least one in each of {NUM_SPLITS} splits"
            )
        return {self.name: float(scores.mean()), f"{self.name}/std": float(scores.std(correction=0))}


def split_scores(state: State) -> torch.Tensor:
    """Return the score of every split [splits] from a state of `SplitProbabilities`."""
    n = state["counts"]
    q = state["sums"] / n[:, None]  # [splits, classes]
    return torch.exp(state["negentropies"] / n - torch.special.xlogy(q, q).sum(1))


METRICS: dict[str, Metric] = {
    "is50k": InceptionScore(stem="is", num_generated=50_000, num_real=0, lower_is_better=False)
}
