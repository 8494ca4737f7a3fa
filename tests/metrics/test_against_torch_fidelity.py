"""Frechet, kernel, Inception Score and precision/recall formulas against torch-fidelity's, on the same features.

Its package imports torchvision, which the formulas do not use: it and the modules that read pictures are replaced by
empty ones while the formulas are imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch

from limner.metrics import frechet, inception_score, kernel, neighbours
from limner.metrics.engine.statistics import MomentsAccumulator, SplitAccumulator


class Empty(ModuleType):
    """A module in which every name is found."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda iterable=None, **_: iterable


@pytest.fixture
def fidelity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    spec = importlib.util.find_spec("torch_fidelity")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("the independent library torch-fidelity is not installed")
    before = set(sys.modules)
    package = ModuleType("torch_fidelity")
    package.__path__ = list(spec.submodule_search_locations)
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    for name in ("torch_fidelity.utils", "tqdm"):
        monkeypatch.setitem(sys.modules, name, Empty(name))
    yield lambda name: importlib.import_module(f"torch_fidelity.{name}")
    for name in set(sys.modules) - before:
        if name.startswith("torch_fidelity"):
            del sys.modules[name]


def features(count, dim=32, seed=0, shift=0.0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)).relu() + shift


def bank(rows):
    return {"index": torch.arange(len(rows)), "rows": rows}


def moments(rows):
    accumulator = MomentsAccumulator(rows.shape[1])
    accumulator.add(torch.arange(len(rows)), rows)
    return accumulator.state()


@pytest.mark.parametrize("count", [200, 20])
def test_the_frechet_distance(fidelity, count):
    theirs = fidelity("metric_fid")
    a, b = features(count), features(300, seed=1, shift=0.1)
    statistics = [theirs.fid_features_to_statistics(rows) for rows in (a, b)]
    expected = next(iter(theirs.fid_statistics_to_metric(*statistics, verbose=False).values()))
    got = frechet.METRICS["fid50k"].compute([moments(a)], [moments(b)], 0)["fid50k"]
    assert got == pytest.approx(expected, rel=1e-5)  # its means are float32


def test_the_kernel_distance_of_a_subset(fidelity):
    theirs = fidelity("metric_kid")
    a, b = features(90).double(), features(90, seed=1, shift=0.1).double()
    options = {
        "kid_kernel": "poly",
        "kid_kernel_poly_degree": 3,
        "kid_kernel_poly_gamma": None,
        "kid_kernel_poly_coef0": 1,
    }
    assert kernel.unbiased_mmd(a, b) == pytest.approx(
        float(theirs.kernel_mmd(a.numpy(), b.numpy(), **options)), rel=1e-10
    )


def test_the_inception_score(fidelity):
    theirs = fidelity("metric_isc")
    logits = features(205, 11) * 3
    expected = theirs.isc_features_to_metric(logits, splits=10, shuffle=False)
    accumulator = SplitAccumulator(11, 10, 205)
    accumulator.add(torch.arange(205), logits)
    values = inception_score.METRICS["is50k"].compute([], [accumulator.state()], 0)
    assert list(values.values()) == pytest.approx(list(expected.values()), rel=1e-9)


def test_precision_and_recall(fidelity):
    theirs = fidelity("metric_prc")
    real, generated = features(200), features(180, seed=1, shift=0.05)
    precision, recall = theirs.calculate_precision_recall_full(generated, real, neighborhood=3)
    got = neighbours.neighbour_shares(real, generated, 3)
    assert (got["precision"], got["recall"]) == pytest.approx((precision, recall), rel=1e-6)
