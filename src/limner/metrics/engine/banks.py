"""Metrics of two sets of features, every picture's kept."""

from __future__ import annotations

from dataclasses import dataclass

from limner.metrics.base import Metric, Statistic
from limner.metrics.engine.statistics import FeatureBank


@dataclass(frozen=True, kw_only=True)
class BankMetric(Metric):
    """A metric that gets the features of every picture of both sets."""

    extractor: str
    """Name of the feature network."""
    output: str
    """Name of its output."""

    def real_statistics(self) -> tuple[Statistic, ...]:
        return (FeatureBank(count=self.num_real or 0, extractor=self.extractor, output=self.output),)

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (FeatureBank(count=self.num_generated, extractor=self.extractor, output=self.output),)
