"""What every metric must satisfy."""

from __future__ import annotations

import pytest

from limner import registry
from limner.metrics.base import Metric

ALL = [(file, name) for file in registry.names("metrics") for name in registry.get("metrics", file).METRICS]


def test_the_contract_and_the_runner_are_not_metrics():
    assert not {"base", "runner"} & set(registry.names("metrics"))


@pytest.mark.parametrize(("file", "name"), ALL)
def test_a_metric_is_named_after_its_file_and_knows_its_own_name(file, name):
    metric = registry.get("metrics", file).METRICS[name]
    assert isinstance(metric, Metric)
    assert name.startswith(file)
    assert metric.name == name
    assert metric.num_real > 0
    assert metric.num_generated > 0
