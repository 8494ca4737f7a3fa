"""Frechet distances against closed forms, scipy, ignite and an exact low-rank form."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy import linalg

from limner.errors import ConfigError
from limner.metrics import runner
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.engine.statistics import MomentsAccumulator, mean_and_covariance, moments_state
from limner.metrics.frechet import METRICS, frechet_distance, root_of


def sample(count, dim, seed=0, scale=1.0, shift=0.0):
    stream = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99)) / dim**0.5
    return scale * torch.randn(count, dim, generator=stream) @ mixing + shift


def state(features):
    accumulator = MomentsAccumulator(features.shape[1])
    accumulator.add(torch.arange(len(features)), features)
    return accumulator.state()


def bank(features):
    return {"index": torch.arange(len(features)), "rows": features}


def distance(a, b, name="fid50k"):
    return METRICS[name].compute([state(a)], [state(b)], 0)[name]


def gaussians(mean_a, covariance_a, mean_b, covariance_b):
    real = moments_state(torch.as_tensor(mean_a), torch.as_tensor(covariance_a))
    return frechet_distance(
        real, root_of(torch.as_tensor(covariance_a)), torch.as_tensor(mean_b), torch.as_tensor(covariance_b)
    )


def test_gaussians_with_commuting_covariances_have_a_closed_form():
    """|m1 - m2|^2 + sum (sqrt(l1) - sqrt(l2))^2 in the common eigenbasis."""
    rng = np.random.RandomState(0)
    basis = np.linalg.qr(rng.randn(20, 20))[0]
    l1, l2 = rng.rand(20) * 5, rng.rand(20) * 5
    m1, m2 = rng.randn(20), rng.randn(20)
    got = gaussians(m1, basis * l1 @ basis.T, m2, basis * l2 @ basis.T)
    assert got == pytest.approx(((m1 - m2) ** 2).sum() + ((l1**0.5 - l2**0.5) ** 2).sum(), rel=1e-12)


def test_a_shift_costs_its_squared_length():
    features = sample(400, 8)
    assert distance(features, features + 3) == pytest.approx(8 * 9, rel=1e-6)
    assert distance(features, features) == pytest.approx(0, abs=1e-9)


def test_the_distance_is_symmetric_and_scales_with_the_square():
    a, b = sample(300, 8, 1), sample(200, 8, 2, 1.5, 0.3)
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-10)
    assert distance(2 * a, 2 * b) == pytest.approx(4 * distance(a, b), rel=1e-9)


def test_it_agrees_with_scipys_matrix_root():
    a, b = sample(300, 16, 1), sample(500, 16, 2, 1.3, 0.2)
    (m1, s1), (m2, s2) = (mean_and_covariance(state(x), 1) for x in (a, b))
    trace = s1.trace() + s2.trace() - 2 * np.trace(linalg.sqrtm((s1 @ s2).numpy()).real)
    assert distance(a, b) == pytest.approx(float((m1 - m2).square().sum() + trace), rel=1e-6)


def test_it_agrees_with_ignite():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        ignite = pytest.importorskip("ignite.metrics", reason="an independent FID")
    theirs = ignite.FID(num_features=12, feature_extractor=torch.nn.Identity())
    a, b = sample(200, 12, 1).double(), sample(200, 12, 2, 1.3, 0.2).double()
    theirs.update((b, a))
    assert distance(a, b) == pytest.approx(theirs.compute(), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(30, 40), (5, 300)])
def test_sets_smaller_than_the_features_agree_with_the_exact_low_rank_form(n, m):
    """tr (S1 S2)^(1/2) is the nuclear norm of the product of the centred sets, whatever their ranks."""
    a, b = sample(n, 64, 1).double(), sample(m, 64, 2, 1.2).double()
    x, y = ((s - s.mean(0)) / (len(s) - 1) ** 0.5 for s in (a, b))
    trace = x.square().sum() + y.square().sum() - 2 * torch.linalg.matrix_norm(x @ y.T, "nuc")
    expected = (a.mean(0) - b.mean(0)).square().sum() + trace
    assert distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_a_collapsed_set_is_measured():
    """A single point has no spread: |m1 - m2|^2 + tr S1."""
    a, point = sample(300, 8).double(), torch.ones(50, 8).double()
    expected = (a.mean(0) - 1).square().sum() + torch.cov(a.T).trace()
    assert distance(a, point) == pytest.approx(float(expected), rel=1e-6)


def test_fid50k_divides_by_one_less_than_fid50k_full():
    """With both covariances times (N - 1) / N, the trace term shrinks by that factor."""
    a, b = sample(50, 6, 1), sample(50, 6, 2, 1.5)
    shift = float((a.double().mean(0) - b.double().mean(0)).square().sum())
    full, plain = distance(a, b, "fid50k_full"), distance(a, b)
    assert full - shift == pytest.approx((plain - shift) * 49 / 50, rel=1e-9)


def test_the_bias_falls_as_one_over_n_and_fid_inf_takes_it_out():
    real, generated = sample(20_000, 24, 1), sample(3_000, 24, 2)
    metric = METRICS["fid_inf"]
    values = metric.compute([state(real)], [bank(generated)], 0)
    plain = distance(real, generated)
    assert abs(values["fid_inf"]) < 0.2 * plain  # the same distribution: all of the distance is bias
    assert values["fid_inf/slope"] / 3_000 == pytest.approx(plain, rel=0.2)


def test_a_line_in_one_over_n_gives_its_intercept_and_slope(monkeypatch):
    sizes = []

    def line(real, root, mean, covariance):
        return 4.0 + 300.0 / sizes.pop(0)

    monkeypatch.setattr("limner.metrics.frechet.frechet_distance", line)
    sizes += np.linspace(20, 200, 15).astype(int).tolist()
    values = METRICS["fid_inf"].compute([state(sample(50, 4))], [bank(sample(200, 4))], 0)
    assert values["fid_inf"] == pytest.approx(4.0, rel=1e-9)
    assert values["fid_inf/slope"] == pytest.approx(300.0, rel=1e-9)


def test_too_few_pictures_for_a_line_are_refused():
    with pytest.raises(ConfigError, match=r"got 12 pictures, expected at least 150"):
        METRICS["fid_inf"].compute([state(sample(50, 4))], [bank(sample(12, 4))], 0)


@pytest.mark.parametrize("name", ["fid60", "fid60_full", "sfid60", "fd_lite0_60", "fid_inf_300"])
def test_every_name_measures_pictures_end_to_end(name, make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(100, (16, 16)))
    (result,) = runner.evaluate([name], generated, real, networks=networks)
    assert np.isfinite(result.value)
    assert next(iter(result.values)) == result.name == name
