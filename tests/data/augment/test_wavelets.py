"""Oracles: the closed-form properties that define Daubechies' wavelets and a partition of the spectrum."""

import itertools
import math

import numpy as np
import pytest

from limner.data.augment.wavelets import SYM2, SYM6, SYM6_DELAY, band_filters


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_a_filter_is_orthonormal_to_its_even_shifts(taps):
    taps = np.asarray(taps)
    products = [taps[: len(taps) - shift] @ taps[shift:] for shift in range(0, len(taps), 2)]
    np.testing.assert_allclose(products, [1] + [0] * (len(taps) // 2 - 1), atol=1e-15)


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_the_taps_sum_to_the_square_root_of_two(taps):
    assert math.fsum(taps) == pytest.approx(math.sqrt(2), abs=1e-15)


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_the_high_pass_filter_has_as_many_vanishing_moments_as_the_name_says(taps):
    signs = (-1.0) ** np.arange(len(taps))
    positions = np.arange(len(taps)) / len(taps)
    moments = [np.sum(signs * taps * positions**order) for order in range(len(taps) // 2)]
    np.testing.assert_allclose(moments, 0, atol=1e-14)


def test_sym6_is_the_least_asymmetric_spectral_factor():
    """The squared response fixes the roots up to reflection in the unit circle; each choice is one wavelet."""
    half_band = [math.comb(5 + order, order) for order in range(6)]
    roots = []
    for y in np.roots(half_band[::-1]):
        pair = np.roots([1, 4 * y - 2, 1])
        if y.imag > 0:
            roots.append(pair[np.argsort(abs(pair))])
        elif abs(y.imag) < 1e-9:
            real_pair = np.sort(pair.real)
    candidates = []
    for real, first, second in itertools.product((0, 1), repeat=3):
        chosen = [real_pair[real], roots[0][first], roots[0][first].conj(), roots[1][second], roots[1][second].conj()]
        taps = np.poly([*chosen, *[-1] * 6]).real
        candidates.append(taps * math.sqrt(2) / taps.sum())
    asymmetry = [_phase_residual(taps) for taps in candidates]
    best = sorted(candidates, key=_phase_residual)[:2]  # a wavelet and its mirror image
    assert min(asymmetry) == pytest.approx(_phase_residual(np.asarray(SYM6)), rel=1e-4)
    assert min(np.abs(taps - SYM6).max() for taps in best) < 1e-9


def _phase_residual(taps: np.ndarray) -> float:
    frequency = np.linspace(0.01, np.pi * 0.99, 200)
    response = np.exp(-1j * np.outer(frequency, np.arange(len(taps)))) @ taps
    phase = np.unwrap(np.angle(response))
    slope = (phase @ frequency) / (frequency @ frequency)
    return float(np.abs(phase - slope * frequency).max())


def test_the_delay_of_sym6_is_its_phase_delay_over_the_pass_band():
    frequency = np.linspace(0.01, np.pi / 2, 50)
    response = np.exp(-1j * np.outer(frequency, np.arange(len(SYM6)))) @ np.asarray(SYM6)
    delay = -np.unwrap(np.angle(response)) / frequency
    assert np.abs(delay - SYM6_DELAY).max() < 0.18
    assert abs(delay.mean() - SYM6_DELAY) < 0.05


def test_the_bands_sum_to_the_unit_impulse():
    impulse = np.zeros(43)
    impulse[21] = 1
    np.testing.assert_allclose(band_filters().sum(axis=0), impulse, atol=1e-15)


def test_the_bands_are_symmetric():
    bands = band_filters()
    np.testing.assert_allclose(bands, bands[:, ::-1], atol=1e-16)


def test_each_band_passes_its_octave_and_stops_the_others():
    octaves = np.pi * np.array([0, 3 / 16, 3 / 8, 1])  # zero, two octave centres, Nyquist
    response = band_filters() @ np.cos(np.outer(np.arange(43) - 21, octaves))  # [band, octave]
    assert response[0, 0] == pytest.approx(1)
    assert response[3, 3] == pytest.approx(1)
    assert list(response.argmax(axis=0)) == [0, 1, 2, 3]
    np.testing.assert_allclose(response[1:, 0], 0, atol=1e-15)
    np.testing.assert_allclose(response[:3, 3], 0, atol=1e-15)
