"""Kernel distances against scikit-learn and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limner.errors import ConfigError
from limner.metrics import kernel
from limner.metrics.kernel import METRICS, ClipDiscrepancy, cubic_kernel, unbiased_mmd

pairwise = pytest.importorskip("sklearn.metrics.pairwise", reason="independent kernels")
CMMD = ClipDiscrepancy(stem="cmmd", num_generated=50, num_real=50, extractor="clip", output="embedding")


def features(count, dim=10, seed=0, shift=0.0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + shift


def bank(rows):
    return {"index": torch.arange(len(rows)), "rows": rows}


def test_the_cubic_kernel_is_sklearns():
    x, y = features(20).double(), features(30, seed=1).double()
    np.testing.assert_allclose(cubic_kernel(x, y), pairwise.polynomial_kernel(x, y, degree=3, coef0=1), rtol=1e-12)


def test_the_unbiased_estimate_is_its_definition():
    x, y = features(20).double(), features(30, seed=1, shift=0.5).double()
    xx, yy, xy = (pairwise.polynomial_kernel(a, b, degree=3, coef0=1) for a, b in ((x, x), (y, y), (x, y)))
    np.fill_diagonal(xx, 0)
    np.fill_diagonal(yy, 0)
    expected = xx.sum() / (20 * 19) + yy.sum() / (30 * 29) - 2 * xy.mean()
    assert unbiased_mmd(x, y) == pytest.approx(expected, rel=1e-12)


def test_the_value_is_the_mean_over_subsets_drawn_without_replacement(monkeypatch):
    monkeypatch.setattr(kernel, "NUM_SUBSETS", 4)
    monkeypatch.setattr(kernel, "SUBSET_SIZE", 100)
    x, y = features(150), features(120, seed=1, shift=0.1)
    values = METRICS["kid50k"].compute([bank(x)], [bank(y)], 7)
    random = np.random.RandomState(7)
    expected = []
    for _ in range(4):
        a, b = (rows[torch.from_numpy(random.choice(len(rows), 100, replace=False))].double() for rows in (x, y))
        assert len(a.unique(dim=0)) == 100
        xx, yy, xy = (pairwise.polynomial_kernel(p, q, degree=3, coef0=1) for p, q in ((a, a), (b, b), (a, b)))
        expected.append((xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (100 * 99) - 2 * xy.mean())
    assert values["kid50k"] == pytest.approx(np.mean(expected), rel=1e-9)
    assert values["kid50k/std"] == pytest.approx(np.std(expected), rel=1e-9)


def test_subsets_have_a_thousand_pictures_and_there_are_a_hundred():
    assert (kernel.NUM_SUBSETS, kernel.SUBSET_SIZE) == (100, 1000)


def test_subsets_shrink_to_the_smaller_set():
    values = METRICS["kid50k"].compute([bank(features(300))], [bank(features(40, seed=1))], 0)
    assert abs(values["kid50k"]) < 0.2


def test_a_single_picture_is_refused():
    with pytest.raises(ConfigError, match="kid50k: got 1 picture in a set, expected at least 2"):
        METRICS["kid50k"].compute([bank(features(30))], [bank(features(1))], 0)


def test_sets_of_one_distribution_are_at_zero_on_average_and_others_are_not():
    same = METRICS["kid50k"].compute([bank(features(300))], [bank(features(300, seed=1))], 0)["kid50k"]
    other = METRICS["kid50k"].compute([bank(features(300))], [bank(features(300, seed=1, shift=1.0))], 0)["kid50k"]
    assert abs(same) < 0.05
    assert other > 1.0


def test_cmmd_is_the_biased_estimate_with_sklearns_gaussian_kernel(monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK", 16)
    x, y = features(50), features(40, seed=1, shift=0.4)
    a, b = (rows.double().numpy() / np.linalg.norm(rows.double(), axis=1, keepdims=True) for rows in (x, y))
    means = [pairwise.rbf_kernel(p, q, gamma=1 / 200).mean() for p, q in ((a, a), (b, b), (a, b))]
    got = CMMD.compute([bank(x)], [bank(y)], 0)["cmmd" + CMMD.name[4:]]
    assert got == pytest.approx(1000 * (means[0] + means[1] - 2 * means[2]), rel=1e-9)


def test_full_names_take_all_of_the_reference_up_to_a_million():
    assert METRICS["kid50k"].num_real == 50_000
    for name in ("kid50k_full", "kd_lite0"):
        assert METRICS[name].num_real is None
        assert METRICS[name].max_real == 1_000_000
