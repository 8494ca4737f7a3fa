"""Was a picture made by this generator? Distances to its projection, and how well they tell.

Source: StyleGAN2 paper (Karras et al. 2020), Section 5 and Appendix D: pictures of a generator are projected almost
exactly, real ones are not; the paper shows histograms of the perceptual distance between picture and projection. The
numbers are ours: area under the ROC curve, d', and the share of generated pictures found when 1 % of the real ones are
taken for generated, each with a 95 % interval from a bootstrap over pictures.

A picture that was compressed or resized after it was made is projected less well: it may count as real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limner.errors import ConfigError

FALSE_POSITIVES = 0.01
"""Share of real pictures that may be taken for generated ones."""
NUM_RESAMPLES = 1000
FEWEST = 2
"""Pictures of each kind that a calibration needs."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def area_under_curve(generated: np.ndarray, real: np.ndarray) -> float:
    """Return the chance that a generated picture is nearer to its projection than a real one; ties count half."""
    ordered = np.sort(real)
    above = len(real) - np.searchsorted(ordered, generated, side="right")
    ties = len(real) - above - np.searchsorted(ordered, generated, side="left")
    return float((above + 0.5 * ties).mean() / len(real))


def separation(generated: np.ndarray, real: np.ndarray) -> float:
    """Return d': the distance of the means in root mean variances."""
    spread = np.sqrt((generated.var() + real.var()) / 2)
    return float((real.mean() - generated.mean()) / max(spread, 1e-12))


def threshold(real: np.ndarray) -> float:
    """Return the largest distance at or below which at most `FALSE_POSITIVES` of the real pictures lie, exclusive."""
    return float(np.sort(real)[int(FALSE_POSITIVES * len(real))])


def true_positives(generated: np.ndarray, real: np.ndarray) -> float:
    """Return the share of generated pictures below the `threshold` of the real ones."""
    return float((generated < threshold(real)).mean())


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": area_under_curve,
    "d_prime": separation,
    "tpr_at_1_fpr": true_positives,
}
"""Name -> function of the distances of generated and of real pictures."""


def calibrate(generated: np.ndarray, real: np.ndarray, *, seed: int = 0) -> dict[str, Estimate]:
    """Return how well distances tell generated from real pictures.

    Args:
        generated: [N] distances of pictures of the generator.
        real: [M] distances of real ones that it was not trained on.
        seed: of the bootstrap.

    Raises:
        ConfigError: fewer than two of either.
    """
    if min(len(generated), len(real)) < FEWEST:
        raise ConfigError(
            f"calibrate: got {len(generated)} generated and {len(real)} real pictures, expected at least {FEWEST} of "
            "each"
        )
    rng = np.random.RandomState(seed)
    draws = [
        (generated[rng.randint(len(generated), size=len(generated))], real[rng.randint(len(real), size=len(real))])
        for _ in range(NUM_RESAMPLES)
    ]
    estimates = {}
    for name, measure in MEASURES.items():
        low, high = np.percentile([measure(*draw) for draw in draws], [2.5, 97.5])
        estimates[name] = Estimate(measure(generated, real), float(low), float(high))
    return estimates


def at_least(reference: np.ndarray, distance: float) -> float:
    """Return the share of reference distances at or above one, the picture counted among them: a p-value."""
    return float(((reference >= distance).sum() + 1) / (len(reference) + 1))
