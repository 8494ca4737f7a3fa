"""Means of scalars over a tick."""

from __future__ import annotations

import pytest
import torch

from limner.training.distributed import Processes
from limner.training.statistics import Statistics


def test_a_tick_gives_the_mean_of_each_name_over_its_own_count() -> None:
    statistics = Statistics()
    for value in (1.0, 2.0, 6.0):
        statistics.add("loss/G", torch.tensor(value))
    statistics.add("loss/D_r1", torch.tensor(5.0))
    assert statistics.take(Processes()) == {"loss/G": pytest.approx(3.0), "loss/D_r1": pytest.approx(5.0)}


def test_taking_starts_again() -> None:
    statistics = Statistics()
    statistics.add("loss/G", torch.tensor(1.0))
    statistics.take(Processes())
    assert statistics.take(Processes()) == {}
    statistics.add("loss/G", torch.tensor(4.0))
    assert statistics.take(Processes()) == {"loss/G": 4.0}


def test_a_value_changed_after_it_was_added_does_not_change_the_mean() -> None:
    statistics, value = Statistics(), torch.tensor(2.0)
    statistics.add("pl_mean", value)
    value.fill_(100.0)
    assert statistics.take(Processes()) == {"pl_mean": 2.0}


def test_nothing_keeps_a_graph_and_half_precision_is_summed_in_single() -> None:
    statistics = Statistics()
    statistics.add("x", torch.tensor(2048.0, dtype=torch.float16, requires_grad=True))
    statistics.add("x", torch.tensor(1.0, dtype=torch.float16))
    assert statistics.take(Processes()) == {"x": 1024.5}
