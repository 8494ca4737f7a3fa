"""Intervals by resampling pictures: 95 % of the means, differences and other numbers that resampled sets give.

Two methods are compared on the same pictures (paired): a set is drawn once, and both are measured on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from limner.inversion.engine.attribution import Estimate

NUM_RESAMPLES = 1000


def interval(
    statistic: Callable[[np.ndarray], float], count: int, *, seed: int = 0, resamples: int = NUM_RESAMPLES
) -> Estimate:
    """Return a statistic of all pictures with the interval that resampled sets of them give.

    Args:
        statistic: numbers of pictures, [n] below `count`, may repeat -> the number.
        count: pictures there are.
        seed: of the draws.
        resamples: sets drawn.
    """
    rng = np.random.RandomState(seed)
    drawn = [statistic(rng.randint(count, size=count)) for _ in range(resamples)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(statistic(np.arange(count))), float(low), float(high))


def mean_interval(values: np.ndarray, *, seed: int = 0) -> Estimate:
    """Return the mean of one number a picture [N] with its interval."""
    return interval(lambda chosen: float(values[chosen].mean()), len(values), seed=seed)


def mean_difference(a: np.ndarray, b: np.ndarray, *, seed: int = 0) -> Estimate:
    """Return by how much a mean is larger than another over the pictures both have: the first of each."""
    count = min(len(a), len(b))
    return mean_interval(a[:count] - b[:count], seed=seed)
