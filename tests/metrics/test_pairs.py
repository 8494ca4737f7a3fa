"""MS-SSIM against pytorch-msssim and a slow plain reference; means over pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from limner.errors import ConfigError
from limner.metrics import runner
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.pairs import EXPONENTS, ms_ssim


def photo(seed, height, width, channels=3, noise=0.0):
    """Smooth bytes as floats, so that the coarse scales have structure."""
    rng = np.random.RandomState(seed)
    smooth = ndimage.gaussian_filter(rng.randn(channels, height, width), (0, height / 16, width / 16), mode="wrap")
    smooth = smooth / smooth.std() * 45 + 128 + noise * np.random.RandomState(seed + 1).randn(channels, height, width)
    return torch.from_numpy(np.clip(np.rint(smooth), 0, 255))[None]


def plain_ms_ssim(a, b):
    """The definition with scipy: a window cut to the picture, its mean taken over what needs no padding."""
    a, b = a[0].numpy(), b[0].numpy()
    product = 1.0
    for scale, exponent in enumerate(EXPONENTS):
        side = min(11, *a.shape[1:])
        places = np.arange(side) - (side - 1) / 2
        row = np.exp(-(places**2) / (2 * (1.5 * side / 11) ** 2))
        window = np.outer(row, row) / np.outer(row, row).sum()

        def blur(image, window=window, side=side):
            windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(1, 2))
            return (windows * window).sum((-2, -1))

        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
        contrast = (2 * cov + 58.5225) / (var_a + var_b + 58.5225)
        ssim = contrast * (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
        product *= max((ssim if scale == 4 else contrast).mean(), 0) ** exponent
        a, b = (np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)), mode="edge") for x in (a, b))
        a, b = (x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).mean((2, 4)) for x in (a, b))
    return product


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 16), (17, 31), (32, 64), (128, 96)])
def test_any_size_agrees_with_the_definition(height, width):
    a, b = photo(1, height, width), photo(1, height, width, noise=20)
    assert float(ms_ssim(a, b)) == pytest.approx(plain_ms_ssim(a, b), rel=1e-9)


def test_one_channel_agrees_with_pytorch_msssim():
    theirs = pytest.importorskip("pytorch_msssim", reason="an independent MS-SSIM")
    a, b = photo(2, 192, 208, channels=1), photo(2, 192, 208, channels=1, noise=30)
    expected = float(theirs.ms_ssim(a, b, data_range=255, size_average=False))
    assert float(ms_ssim(a, b)) == pytest.approx(expected, abs=1e-5)


def test_equal_pictures_are_alike_and_opposite_ones_are_not():
    a = photo(3, 64, 64)
    assert float(ms_ssim(a, a)) == pytest.approx(1)
    assert float(ms_ssim(a, 255 - a)) == 0.0
    flat = torch.full((1, 3, 4, 4), 90.0, dtype=torch.float64)
    assert float(ms_ssim(flat, flat)) == pytest.approx(1)


def test_more_noise_is_less_alike_and_the_order_does_not_matter():
    a, near, far = photo(4, 64, 64), photo(4, 64, 64, noise=10), photo(4, 64, 64, noise=40)
    assert 1 > float(ms_ssim(a, near)) > float(ms_ssim(a, far)) > 0
    assert float(ms_ssim(a, far)) == pytest.approx(float(ms_ssim(far, a)))


def test_a_batch_is_its_pictures_one_by_one():
    a, b = (torch.cat([photo(s, 32, 32, noise=n) for s in (1, 2, 3)]) for n in (0, 15))
    single = [float(ms_ssim(a[i : i + 1], b[i : i + 1])) for i in range(3)]
    assert ms_ssim(a, b).tolist() == pytest.approx(single)


def test_the_metric_is_the_mean_over_consecutive_pairs(make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(15, (16, 16)))
    (result,) = runner.evaluate(["msssim_20"], generated, real, networks=networks)
    pictures = generated.pictures(range(20)).double()
    assert result.value == pytest.approx(float(ms_ssim(pictures[::2], pictures[1::2]).mean()))
    of_real = real.pictures(range(14)).double()
    expected = float(ms_ssim(of_real[::2], of_real[1::2]).mean())
    assert result.values["msssim_20/real"] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["lpips_20", "stlpips_20"])
def test_perceptual_distances_are_means_over_pairs_too(name, make_generator, make_dataset, networks):
    generated, real = GeneratorPictures(make_generator((16, 16))), DatasetPictures(make_dataset(15, (16, 16)))
    (result,) = runner.evaluate([name], generated, real, networks=networks)
    pictures = generated.pictures(range(20)).double() / 127.5 - 1
    assert result.value == pytest.approx(float((pictures[::2] - pictures[1::2]).square().mean()), rel=1e-5)
    assert result.networks[name[:-3]]["sha256"] == "random"
    assert f"{name}/real" in result.values


def test_a_collapsed_generator_is_seen(make_generator, make_dataset, networks):
    generator = make_generator((16, 16))
    generator.synthesis = lambda ws, **_: torch.zeros(len(ws), 3, 16, 16)
    real = DatasetPictures(make_dataset(20, (16, 16)))
    alike, apart = runner.evaluate(["msssim_20", "stlpips_20"], GeneratorPictures(generator), real, networks=networks)
    assert alike.value == pytest.approx(1)
    assert alike.values["msssim_20/real"] < 0.9
    assert apart.value == 0 < apart.values["stlpips_20/real"]


def test_a_single_picture_is_no_pair(make_dataset, networks):
    with pytest.raises(ConfigError, match="msssim_1: got 1 picture, expected at least one pair"):
        runner.evaluate(["msssim"], DatasetPictures(make_dataset(1, (16, 16))), networks=networks)
