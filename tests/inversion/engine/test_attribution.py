"""Area under the curve, d' and true positives, against definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from limner.errors import ConfigError
from limner.inversion.engine import attribution as a

RNG = np.random.RandomState(0)
NEAR, FAR = RNG.gamma(2.0, 0.1, 80), RNG.gamma(4.0, 0.1, 120)


def test_the_area_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    near, far = NEAR.round(1), FAR.round(1)  # with ties
    truth = [1] * len(near) + [0] * len(far)
    assert np.isclose(a.area_under_curve(near, far), roc_auc_score(truth, -np.concatenate([near, far])))


def test_d_prime_of_unit_spreads_is_the_difference_of_means() -> None:
    near, far = np.array([-1.0, 1.0]), np.array([2.0, 4.0])
    assert a.separation(near, far) == 3.0


def test_at_most_one_real_picture_in_a_hundred_is_taken_for_generated() -> None:
    real = np.arange(300.0)
    assert (real < a.threshold(real)).sum() == 3
    assert a.true_positives(np.array([0.0, 2.0, 2.5, 3.0]), real) == 0.75
    assert a.true_positives(np.array([0.0]), np.array([1.0, 2.0])) == 1.0


def test_sets_apart_and_sets_alike() -> None:
    apart = a.calibrate(NEAR, NEAR + 10)
    assert (apart["auc"].value, apart["auc"].low, apart["tpr_at_1_fpr"].value) == (1.0, 1.0, 1.0)
    alike = a.calibrate(FAR, FAR)
    assert alike["auc"].low < 0.5 < alike["auc"].high
    assert alike["d_prime"].low < 0 < alike["d_prime"].high


def test_intervals_hold_the_value_and_repeat() -> None:
    first, second = a.calibrate(NEAR, FAR, seed=3), a.calibrate(NEAR, FAR, seed=3)
    assert first == second
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in first.values())


def test_a_p_value_counts_the_picture_itself() -> None:
    assert a.at_least(np.array([1.0, 2.0, 3.0]), 2.5) == 0.5
    assert a.at_least(np.array([1.0, 2.0, 3.0]), 9.0) == 0.25


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 1 generated and 2 real pictures, expected at least 2 of each"):
        a.calibrate(np.ones(1), np.ones(2))
