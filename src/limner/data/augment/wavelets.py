"""Daubechies' least asymmetric wavelets (symlets) and the frequency bands made of them.

Coefficients: the spectral factor of the maximally flat half-band polynomial whose phase is closest to linear
(I. Daubechies, "Ten Lectures on Wavelets", SIAM 1992, Section 8.1), computed with 50 digits and rounded to
double precision; orthonormal scaling, so the taps of each filter sum to sqrt(2).
Bands: ADA paper (Karras et al. 2020, arXiv 2006.06676), Appendix B, image-space filtering.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SYM2 = (
    -0.12940952255126038117,
    0.22414386804201338103,
    0.83651630373780790558,
    0.48296291314453414337,
)
"""Low-pass filter of sym2: 4 taps, 2 vanishing moments."""

SYM6 = (
    0.015404109327044824299,
    0.0034907120842221625153,
    -0.1179901111485200254,
    -0.048311742585698054971,
    0.49105594192797373304,
    0.78764114102865099607,
    0.33792942172816583271,
    -0.072637522786376583464,
    -0.021060292512370847992,
    0.044724901770781384663,
    0.001767711864254007741,
    -0.0078007083250323804142,
)
"""Low-pass filter of sym6: 12 taps, 6 vanishing moments."""

SYM6_DELAY = 5
"""Samples by which SYM6 delays a signal: its phase delay lies between 4.83 and 5.10 over the pass band."""


def band_filters() -> NDArray[np.float64]:
    """Return the four zero-phase band filters [4, 43], lowest frequencies first; they sum to the unit impulse.

    With H the low-pass filter of sym2, L(z) = H(z) H(1/z) / 2 and U(z) = L(-z) split the spectrum (L + U = 1); a
    three-level tree without decimation gives the bands L(z) L(z^2) L(z^4), L(z) L(z^2) U(z^4), L(z) U(z^2) and U(z):
    up to 1/8, 1/4, 1/2 and all of the Nyquist frequency.
    """
    low_taps = np.asarray(SYM2)
    high_taps = low_taps * (-1.0) ** np.arange(len(low_taps))
    low = np.convolve(low_taps, low_taps[::-1]) / 2
    high = np.convolve(high_taps, high_taps[::-1]) / 2
    passed = np.ones(1)
    bands = []
    for level in range(3):
        bands.append(np.convolve(passed, _dilate(high, 2**level)))
        passed = np.convolve(passed, _dilate(low, 2**level))
    bands.append(passed)
    return np.stack([np.pad(band, (len(passed) - len(band)) // 2) for band in reversed(bands)])


def _dilate(taps: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Return taps(z^factor): zeros between the taps."""
    dilated = np.zeros((len(taps) - 1) * factor + 1)
    dilated[::factor] = taps
    return dilated
