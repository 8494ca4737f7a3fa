"""The Inception Score against its definition, its bounds and ignite."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from limner.errors import ConfigError
from limner.metrics import runner
from limner.metrics.engine.statistics import SplitAccumulator
from limner.metrics.inception_score import METRICS, split_scores


def state(logits, splits=10):
    accumulator = SplitAccumulator(logits.shape[1], splits, len(logits))
    accumulator.add(torch.arange(len(logits)), logits)
    return accumulator.state()


def logits(count, classes=7, seed=0):
    return 2 * torch.randn(count, classes, generator=torch.Generator().manual_seed(seed))


def test_the_score_is_the_exponential_of_the_mean_divergence_per_split():
    raw = logits(203)
    p = raw.double().softmax(1)
    expected = []
    for split in range(10):
        part = p[split * 203 // 10 : (split + 1) * 203 // 10]
        expected.append(torch.exp((part * (part / part.mean(0)).log()).sum(1).mean()))
    values = METRICS["is50k"].compute([], [state(raw)], 0)
    assert values["is50k"] == pytest.approx(float(torch.stack(expected).mean()), rel=1e-12)
    assert values["is50k/std"] == pytest.approx(float(torch.stack(expected).std(correction=0)), rel=1e-9)


def test_sure_and_varied_verdicts_score_the_number_of_classes_and_uniform_ones_one():
    sure = 1000 * torch.eye(5).repeat(20, 1)
    assert METRICS["is50k"].compute([], [state(sure)], 0)["is50k"] == pytest.approx(5)
    assert METRICS["is50k"].compute([], [state(torch.zeros(100, 5))], 0)["is50k"] == pytest.approx(1)
    one_class = 1000 * torch.eye(5)[:1].repeat(100, 1)
    assert METRICS["is50k"].compute([], [state(one_class)], 0)["is50k"] == pytest.approx(1)


def test_one_split_agrees_with_ignite():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        ignite = pytest.importorskip("ignite.metrics", reason="an independent Inception Score")
    raw = logits(100).double()
    theirs = ignite.InceptionScore(num_features=7, feature_extractor=torch.nn.Identity())
    theirs.update(raw.softmax(1))
    assert float(split_scores(state(raw, 1))[0]) == pytest.approx(theirs.compute(), rel=1e-6)


def test_fewer_pictures_than_splits_are_refused():
    with pytest.raises(ConfigError, match="expected at least one in each of 10 splits"):
        METRICS["is50k"].compute([], [state(logits(7))], 0)


def test_it_needs_no_reference_and_rises():
    metric = runner.find("is50k")
    assert metric.num_real == 0
    assert not metric.lower_is_better
    assert math.isfinite(metric.compute([], [state(logits(50))], 0)["is50k"])
