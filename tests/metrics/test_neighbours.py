"""Precision, recall, density, coverage and authenticity against prdc, brute force and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from limner.errors import ConfigError
from limner.metrics import neighbours
from limner.metrics.neighbours import (
    METRICS,
    nearest_copies,
    nearest_neighbours,
    neighbour_radii,
    neighbour_shares,
    squared_distances,
)


def points(count, dim=8, seed=0, shift=0.0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + shift


def bank(rows):
    return {"index": torch.arange(len(rows)), "rows": rows}


def brute(x, y, k):
    """The definitions, word by word."""
    xx, yy, xy = (cdist(a.double(), b.double()) for a, b in ((x, x), (y, y), (x, y)))
    real, own = (np.sort(d, axis=1)[:, k] for d in (xx, yy))
    return {
        "precision": (xy <= real[:, None]).any(0).mean(),
        "recall": (xy <= own[None]).any(1).mean(),
        "density": (xy < real[:, None]).sum() / (k * len(y)),
        "coverage": (xy < real[:, None]).any(1).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_shares_are_their_definitions(k, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_NUMBERS", 700)
    monkeypatch.setattr(neighbours, "BLOCK_COLUMNS", 33)
    x, y = points(100), points(80, seed=1, shift=0.6)
    assert neighbour_shares(x, y, k) == pytest.approx(brute(x, y, k), rel=1e-12)


def test_shares_agree_with_prdc(capsys):
    prdc = pytest.importorskip("prdc", reason="the authors' density and coverage")
    x, y = points(150, seed=3), points(120, seed=4, shift=0.4)
    theirs = prdc.compute_prdc(x.double().numpy(), y.double().numpy(), nearest_k=5)
    assert neighbour_shares(x, y, 5) == pytest.approx({name: float(v) for name, v in theirs.items()}, rel=1e-12)


def test_a_set_is_in_its_own_manifold():
    x = points(60)
    assert neighbour_shares(x, x, 3) == {
        "precision": 1.0,
        "recall": 1.0,
        "density": pytest.approx(1.0),
        "coverage": 1.0,
    }


def test_duplicated_sets_coincide():
    """Every ball has radius 0 and holds its copies, and no ball reaches beyond: d <= 0, but not d < 0."""
    x = (1000 * points(30)).repeat(5, 1)
    assert neighbour_shares(x, x, 3) == {"precision": 1.0, "recall": 1.0, "density": 0.0, "coverage": 0.0}


def test_a_collapsed_set_has_no_recall():
    x = points(200)
    collapsed = x[:1].repeat(50, 1)
    found = neighbour_shares(x, collapsed, 3)
    assert found["precision"] == 1.0
    assert found["recall"] == 1 / 200
    assert found["coverage"] < 0.1


def test_a_set_far_away_has_nothing():
    assert set(neighbour_shares(points(50), points(50, shift=100.0), 3).values()) == {0.0}


def test_half_of_the_modes_give_half_of_the_recall():
    modes = torch.cat([points(100), points(100, seed=1, shift=50.0)])
    found = neighbour_shares(modes, points(200, seed=2), 5)
    assert found["recall"] == pytest.approx(0.5, abs=0.06)
    assert found["coverage"] == pytest.approx(0.5, abs=0.06)
    assert found["precision"] > 0.9


def test_two_samples_of_one_distribution_have_the_density_and_coverage_of_theory():
    """E[density] = 1 and E[coverage] = 1 - prod (N - i) / (2 N - i), i = 1..k (Naeem et al. 2020, Lemma 2)."""
    n, k = 1000, 5
    found = neighbour_shares(points(n, 2), points(n, 2, seed=1), k)
    assert found["density"] == pytest.approx(1.0, abs=0.06)
    assert found["coverage"] == pytest.approx(1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1)), abs=0.02)


def test_distances_far_from_the_origin_keep_their_digits():
    """The expansion |x|^2 + |y|^2 - 2 x y loses 16 digits' worth of |x|^2, and features are positive and large."""
    x, y = points(40, 64, shift=30.0), points(30, 64, seed=1, shift=30.0)
    ((_, got),) = squared_distances(x, y)
    np.testing.assert_allclose(got, cdist(x.double(), y.double(), "sqeuclidean"), rtol=1e-9)
    assert torch.equal(neighbour_radii(torch.cat([x, x]), 1), torch.zeros(80, dtype=torch.float64))


def test_the_headline_of_pr_is_the_harmonic_mean():
    x, y = points(100), points(90, seed=1, shift=0.6)
    values = METRICS["pr50k3"].compute([bank(x)], [bank(y)], 0)
    expected = brute(x, y, 3)
    assert values["pr50k3/precision"] == pytest.approx(expected["precision"])
    assert values["pr50k3/recall"] == pytest.approx(expected["recall"])
    p, r = expected["precision"], expected["recall"]
    assert values["pr50k3"] == pytest.approx(2 * p * r / (p + r))
    assert METRICS["pr50k3"].compute([bank(x)], [bank(y + 100)], 0)["pr50k3"] == 0.0


def test_prdc_gives_all_four_and_leads_with_coverage():
    values = METRICS["prdc_lite0"].compute([bank(points(60))], [bank(points(50, seed=1))], 0)
    expected = brute(points(60), points(50, seed=1), 5)
    assert values.pop("prdc_lite0") == pytest.approx(expected["coverage"])
    assert {name.partition("/")[2]: value for name, value in values.items()} == pytest.approx(expected)


def test_fewer_pictures_than_neighbours_are_refused():
    with pytest.raises(ConfigError, match=r"dc10k5: got 5 pictures in a set, expected more than 5"):
        METRICS["dc10k5"].compute([bank(points(50))], [bank(points(5))], 0)
    with pytest.raises(ConfigError, match=r"pr50k3: got 3 pictures"):
        METRICS["pr50k3"].compute([bank(points(3))], [bank(points(50))], 0)


def test_copies_are_not_authentic_and_new_pictures_as_near_as_real_ones_are_half_so():
    x = points(300)
    copies = METRICS["auth_lite0"].compute([bank(x)], [bank(x[:50] + 1e-3)], 0)
    assert copies["auth_lite0"] == 0.0
    assert copies["auth_lite0/nearness"] < 0.01
    fresh = METRICS["auth_lite0"].compute([bank(x)], [bank(points(300, seed=1))], 0)
    assert fresh["auth_lite0"] == pytest.approx(0.5, abs=0.15)
    assert fresh["auth_lite0/nearness"] == pytest.approx(1.0, abs=0.1)


def test_authenticity_is_its_definition():
    x, y = points(60), points(40, seed=1)
    xx, yx = cdist(x.double(), x.double()), cdist(y.double(), x.double())
    np.fill_diagonal(xx, np.inf)
    nearest = yx.argmin(1)
    expected = (yx.min(1) > xx.min(1)[nearest]).mean()
    values = METRICS["auth_lite0"].compute([bank(x)], [bank(y)], 0)
    assert values["auth_lite0"] == pytest.approx(expected)
    assert values["auth_lite0/nearness"] == pytest.approx(yx.min(1).mean() / xx.min(1).mean())
    distance, index = nearest_neighbours(y, x)
    np.testing.assert_array_equal(index, nearest)
    np.testing.assert_allclose(distance.sqrt(), yx.min(1))


def test_the_most_suspicious_pictures_come_first_with_their_nearest_real_ones():
    x, y = points(60), points(20, seed=1)
    y[7], y[3] = x[11] + 1e-4, x[5] + 1e-2
    chosen, beside = nearest_copies(x, y, 3, 4)
    assert chosen[:2] == [7, 3]
    assert [row[0] for row in beside[:2]] == [11, 5]
    distances = cdist(y[7:8].double(), x.double())[0]
    assert beside[0] == np.argsort(distances)[:4].tolist()
    assert len(nearest_copies(x, y, 100, 100)[1][0]) == 60
