"""What every metric must satisfy, and the names and states all share."""

from __future__ import annotations

import json

import pytest
import torch

from limner.errors import ConfigError
from limner.metrics import runner
from limner.metrics.base import Metric, Result, Rows, added, joined

ALL = runner.known()


def test_no_name_stands_for_two_metrics():
    assert len(set(ALL)) == len(ALL)
    for name in ALL:
        claims = {m.with_count(m.count_in(name)) for m in map(runner.find, ALL) if m.count_in(name) is not None}
        assert claims == {runner.find(name)}


@pytest.mark.parametrize("name", ALL)
def test_a_metric_with_another_count_has_another_name_that_finds_it(name):
    metric = runner.find(name)
    assert isinstance(metric, Metric)
    assert metric.name == name
    other = metric.with_count(1234)
    assert "1234" in other.name
    assert runner.find(other.name) == other
    assert other.num_generated == 1234
    assert other.num_real in (None, 0, 1234)


@pytest.mark.parametrize("name", ALL)
def test_what_a_metric_needs_is_countable_and_hashable(name):
    metric = runner.find(name).with_count(50)
    statistics = metric.generated_statistics()
    assert len(set(statistics)) == len(statistics) > 0
    assert all(statistic.count == 50 for statistic in statistics)
    assert all(statistic.views in ("features", "pictures", "latents") for statistic in statistics)
    assert all(statistic.network for statistic in statistics if statistic.views == "features")


def test_a_count_below_one_is_refused():
    with pytest.raises(ConfigError, match="got a count of 0, expected at least 1"):
        runner.find("swd").with_count(0)


def test_rows_come_in_the_order_of_their_numbers():
    rows = Rows()
    rows.add(torch.tensor([4, 5]), torch.tensor([[40.0], [50.0]]))
    rows.add(torch.tensor([0, 1]), torch.tensor([[0.0], [10.0]]))
    others = Rows()
    others.add(torch.tensor([2, 3]), torch.tensor([[20.0], [30.0]]))
    whole = joined([rows.state(), others.state()])
    assert whole["index"].tolist() == list(range(6))
    assert whole["rows"].flatten().tolist() == [0, 10, 20, 30, 40, 50]
    assert Rows().state() == {}


def test_sums_add_up():
    parts = [{"total": torch.tensor([1.0, 2.0])}, {"total": torch.tensor([10.0, 20.0])}]
    assert added(parts)["total"].tolist() == [11.0, 22.0]


def test_a_result_is_plain_json():
    result = Result(
        name="fid50k",
        values={"fid50k": 2.5, "fid50k/x": 1.0},
        lower_is_better=True,
        seed=0,
        num_real=1,
        num_generated=2,
        real="a",
        generated="b",
        mirror=False,
        networks={"inception": {"sha256": "6726", "resize": "tf1"}},
        version=1,
        seconds=3.0,
        warnings=("careful",),
    )
    assert result.value == 2.5
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["networks"]["inception"]["sha256"] == "6726"
    assert plain["warnings"] == ["careful"]
    assert "values" not in result.protocol()
