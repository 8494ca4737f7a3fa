"""Moments, banks and class probabilities, as sums that merge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limner.errors import DataError
from limner.metrics.engine.statistics import (
    Moments,
    MomentsAccumulator,
    SplitAccumulator,
    mean_and_covariance,
    moments_state,
    read_moments,
    write_moments,
)

STREAM = torch.Generator().manual_seed(0)
FEATURES = torch.randn(500, 7, generator=STREAM) @ torch.randn(7, 7, generator=STREAM) + 30


def moments(features, batch=50):
    accumulator = MomentsAccumulator(features.shape[1])
    for start in range(0, len(features), batch):
        accumulator.add(torch.arange(start, start + batch), features[start : start + batch])
    return accumulator.state()


@pytest.mark.parametrize("ddof", [0, 1])
def test_mean_and_covariance_are_numpys(ddof):
    mean, covariance = mean_and_covariance(moments(FEATURES), ddof)
    np.testing.assert_allclose(mean, FEATURES.double().mean(0), rtol=1e-13)
    np.testing.assert_allclose(covariance, np.cov(FEATURES.double().T, ddof=ddof), rtol=1e-11, atol=1e-12)


def test_parts_add_up_to_the_whole_however_they_are_cut():
    statistic = Moments(count=500, extractor="inception", output="pool")
    whole = moments(FEATURES, 500)
    merged = statistic.merged([moments(FEATURES[:130], 13), moments(FEATURES[130:140], 10), moments(FEATURES[140:], 9)])
    for name, value in whole.items():
        torch.testing.assert_close(merged[name], value, rtol=1e-14, atol=0)


def test_given_moments_come_back():
    mean, covariance = mean_and_covariance(moments(FEATURES), 1)
    got_mean, got_covariance = mean_and_covariance(moments_state(mean, covariance), 1)
    np.testing.assert_allclose(got_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(got_covariance, covariance, rtol=1e-6, atol=1e-6)


def test_statistics_go_through_a_file_that_numpy_reads(tmp_path):
    mean, covariance = mean_and_covariance(moments(FEATURES), 1)
    write_moments(tmp_path / "deep" / "faces.npz", mean, covariance)
    with np.load(tmp_path / "deep" / "faces.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["mu"], mean)
        np.testing.assert_array_equal(archive["sigma"], covariance)
    got = mean_and_covariance(read_moments(tmp_path / "deep" / "faces.npz").state, 1)
    np.testing.assert_allclose(got[1], covariance, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"mu": np.zeros(3)}, "cannot read statistics"),
        ({"mu": np.zeros(3), "sigma": np.zeros((2, 2))}, r"mu of \[3\] and sigma of \[2, 2\]"),
        ({"mu": np.full(2, np.nan), "sigma": np.eye(2)}, "NaN or infinity"),
        ({"mu": np.array([None, 1]), "sigma": np.eye(2)}, "cannot read statistics"),
    ],
)
def test_other_files_are_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "stats.npz", **arrays)
    with pytest.raises(DataError, match=sentence):
        read_moments(tmp_path / "stats.npz")


def test_files_that_are_no_archives_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_moments(tmp_path / "stats.npz")
    (tmp_path / "stats.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot read statistics"):
        read_moments(tmp_path / "stats.npz")


def test_splits_are_consecutive_whatever_the_batches():
    logits = torch.randn(23, 5, generator=torch.Generator().manual_seed(1))
    accumulator = SplitAccumulator(5, 4, 23)
    for start in range(0, 23, 6):
        end = min(start + 6, 23)
        accumulator.add(torch.arange(start, end), logits[start:end])
    state = accumulator.state()
    ends = [0, 5, 11, 17, 23]
    assert state["counts"].tolist() == np.diff(ends).tolist()
    p = logits.double().softmax(1)
    for split in range(4):
        part = p[ends[split] : ends[split + 1]]
        torch.testing.assert_close(state["sums"][split], part.sum(0))
        torch.testing.assert_close(state["negentropies"][split], (part * part.log()).sum())
