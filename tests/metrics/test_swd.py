"""The sliced Wasserstein distance against scipy, closed forms and a slow plain reference."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from limner.errors import ShapeError
from limner.metrics import swd
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import SEED_STRIDE, DatasetPictures
from limner.metrics.swd import METRICS, Descriptors, PatchAccumulator, descriptors, laplacian_pyramid, level_sizes

BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256.0
SIDES = st.integers(16, 70)
METRIC = METRICS["swd2k"]


def reference_down(picture):
    return ndimage.convolve(picture, BINOMIAL, mode="mirror")[::2, ::2]


def reference_up(picture, size):
    stuffed = np.zeros(size)
    stuffed[::2, ::2] = picture
    return ndimage.convolve(stuffed, 4 * BINOMIAL, mode="mirror")


def plain(values):
    """Descriptors without normalisation."""
    ones = torch.ones(values.shape[1], dtype=torch.float64)
    return Descriptors(values=values, mean=0 * ones, std=ones)


def random_images(count, resolution, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, *resolution), generator=generator, dtype=torch.uint8)


def collect(images, seed=0, first=0):
    patches = PatchAccumulator(tuple(images.shape[2:]), images.shape[1], seed)
    patches.add(torch.arange(first, first + len(images)), images)
    with contextlib.closing(patches):
        return patches.state()


def compare(a, b, seed=0):
    return METRIC.compute([a], [b], seed)


@settings(deadline=None, max_examples=20)
@given(SIDES, SIDES)
def test_reduction_and_enlargement_are_the_mirrored_binomial_convolutions(height, width):
    picture = np.random.RandomState(height * 100 + width).rand(height, width)
    tensor = torch.from_numpy(picture)[None, None]
    smaller = swd.pyramid_down(tensor)
    np.testing.assert_allclose(smaller[0, 0], reference_down(picture), atol=1e-12)
    larger = swd.pyramid_up(smaller, (height, width))
    np.testing.assert_allclose(larger[0, 0], reference_up(reference_down(picture), (height, width)), atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(SIDES, SIDES)
def test_the_pyramid_adds_up_to_the_picture(height, width):
    images = torch.rand(2, 3, height, width, dtype=torch.float64)
    sizes = level_sizes((height, width))
    levels = laplacian_pyramid(images, len(sizes))
    assert [tuple(level.shape[2:]) for level in levels] == sizes
    rebuilt = levels[-1]
    for level in reversed(levels[:-1]):
        rebuilt = swd.pyramid_up(rebuilt, (level.shape[2], level.shape[3])) + level
    torch.testing.assert_close(rebuilt, images)


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        ((128, 128), [(128, 128), (64, 64), (32, 32), (16, 16)]),
        ((64, 48), [(64, 48), (32, 24)]),
        ((33, 63), [(33, 63), (17, 32)]),
        ((31, 31), [(31, 31), (16, 16)]),
        ((30, 64), [(30, 64)]),
        ((8, 8), [(8, 8)]),
    ],
)
def test_the_pyramid_goes_down_to_sixteen_pixels(resolution, expected):
    assert level_sizes(resolution) == expected


def test_a_picture_smaller_than_a_patch_is_refused():
    with pytest.raises(ShapeError, match="6x12 px, expected both sides of at least 7"):
        level_sizes((12, 6))


def test_patches_are_windows_of_the_picture_at_uniform_places():
    picture = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    patches = collect(picture.repeat(40, 1, 1, 1))["level0"] / swd.FIXED_POINT
    corners = patches[:, 0].long()
    y, x = corners // 16, corners % 16
    expected = (y[:, None, None] + torch.arange(7)[:, None]) * 16 + x[:, None, None] + torch.arange(7)
    torch.testing.assert_close(patches, expected.flatten(1).float())
    counts = torch.bincount(y * 10 + x, minlength=100)
    assert counts.shape == (100,)  # 10 x 10 places for a 7 px patch in 16 px
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_every_colour_channel_is_normalised_over_the_set():
    scale = torch.tensor([1.0, 0.5, 0.1])[:, None, None]
    points = descriptors(collect((random_images(20, (16, 16)) * scale).to(torch.uint8))["level0"], 3)
    normalised = (points.values - points.mean) / points.std
    pixels = normalised.view(-1, 3)
    torch.testing.assert_close(pixels.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(pixels.std(0, correction=0), torch.ones(3, dtype=torch.float64))


def test_identical_sets_are_at_distance_zero():
    points = plain(torch.randn(500, 49))
    assert swd.sliced_wasserstein(points, points, torch.Generator().manual_seed(0)) == 0.0


def test_a_shift_gives_the_mean_length_of_its_projection():
    """W1 of X and X + m along a unit direction u is |<m, u>|; its mean is |m| G(k/2) / (sqrt(pi) G((k+1)/2))."""
    k = 49
    points, shift = torch.randn(300, k), torch.randn(k)
    got = swd.sliced_wasserstein(plain(points), plain(points + shift), torch.Generator().manual_seed(0))
    expected = float(shift.norm()) * math.exp(math.lgamma(k / 2) - math.lgamma((k + 1) / 2)) / math.sqrt(math.pi)
    assert got == pytest.approx(expected, rel=0.12)  # 512 directions: standard error 3.3 %


def test_each_direction_agrees_with_scipy():
    a, b = torch.randn(200, 20), torch.rand(200, 20) * 3
    got = swd.sliced_wasserstein(plain(a), plain(b), torch.Generator().manual_seed(3))
    assert got == pytest.approx(reference_sliced(a.double().numpy(), b.double().numpy(), seed=3), rel=1e-5)


def test_it_agrees_with_pot():
    ot = pytest.importorskip("ot", reason="an independent sliced Wasserstein distance")
    a, b = torch.randn(150, 20).double(), torch.rand(150, 20).double() * 3
    stream = torch.Generator().manual_seed(3)
    parts = [torch.randn(20, 128, generator=stream, dtype=torch.float64) for _ in range(4)]
    directions = torch.cat([part / part.norm(dim=0) for part in parts], 1)
    expected = ot.sliced_wasserstein_distance(a.numpy(), b.numpy(), projections=directions.numpy(), p=1)
    got = swd.sliced_wasserstein(plain(a), plain(b), torch.Generator().manual_seed(3))
    assert got == pytest.approx(expected, rel=1e-5)


def reference_sliced(a, b, seed):
    """Project on the same directions and let scipy measure each."""
    generator = torch.Generator().manual_seed(seed)
    distances = []
    for _ in range(4):
        directions = torch.randn(a.shape[1], 128, generator=generator, dtype=torch.float64).numpy()
        directions /= np.linalg.norm(directions, axis=0)
        distances += [stats.wasserstein_distance(a @ d, b @ d) for d in directions.T]
    return np.mean(distances)


def test_chunks_of_directions_do_not_change_the_value(monkeypatch):
    a, b = plain(torch.randn(300, 20)), plain(torch.rand(300, 20))
    whole = swd.sliced_wasserstein(a, b, torch.Generator().manual_seed(0))
    monkeypatch.setattr(swd, "CHUNK_NUMBERS", 300 * 7)
    monkeypatch.setattr(swd, "BLOCK_PATCHES", 64)
    assert swd.sliced_wasserstein(a, b, torch.Generator().manual_seed(0)) == pytest.approx(whole, rel=1e-6)


def test_patches_in_a_file_give_what_patches_in_memory_give_and_are_left_to_the_file():
    states = [collect(random_images(256, (16, 16), seed=seed)) for seed in (1, 2)]
    copies = [{name: value.clone() for name, value in state.items()} for state in states]
    size = states[0]["level0"].nbytes / 2**20  # 9.2 MB a set
    with_files = compare(*states)
    before = resident_file_pages_mb()
    assert with_files == compare(*copies)
    assert all(torch.equal(states[0][name], copies[0][name]) for name in copies[0])  # touches every page of one set
    assert resident_file_pages_mb() - before == pytest.approx(size, abs=1)


def resident_file_pages_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssFile"))


def test_the_whole_metric_agrees_with_a_slow_plain_reference():
    """Pyramid by scipy, patches cut one by one, everything in float64; only the random places are shared."""
    real, fake = random_images(6, (32, 32), seed=1), (random_images(6, (32, 32), seed=2) // 2 + 60)
    got = compare(collect(real, seed=4), collect(fake, seed=5), seed=6)
    generator = torch.Generator().manual_seed(6)
    for level in (0, 1):
        sets = []
        for images, seed in ((real, 4), (fake, 5)):
            streams = [torch.Generator().manual_seed((seed * SEED_STRIDE + i) % 2**32) for i in range(6)]
            places = torch.stack([torch.rand(2, 128, 2, generator=stream)[level] for stream in streams])
            patches = []
            for image, corners in zip(images.double().numpy(), places, strict=True):
                small = np.stack([reference_down(channel) for channel in image])
                detail = image - np.stack([reference_up(channel, (32, 32)) for channel in small])
                band = (detail, small)[level]
                for fy, fx in corners:
                    y, x = int(fy * (band.shape[1] - 6)), int(fx * (band.shape[2] - 6))
                    patches.append(band[:, y : y + 7, x : x + 7].transpose(1, 2, 0))
            array = np.stack(patches)  # [768, 7, 7, 3]
            array = (array - array.mean((0, 1, 2))) / array.std((0, 1, 2))
            sets.append(array.reshape(len(array), -1))
        expected = 1000 * reference_sliced_by(sets, generator)
        assert got[f"swd2k/{(32, 16)[level]}"] == pytest.approx(expected, rel=1e-3)
    assert got["swd2k"] == pytest.approx((got["swd2k/32"] + got["swd2k/16"]) / 2)


def reference_sliced_by(sets, generator):
    directions = [torch.randn(147, 128, generator=generator, dtype=torch.float64) for _ in range(4)]
    unit = torch.cat([d / d.norm(dim=0) for d in directions], 1).numpy()
    a, b = (np.sort(points @ unit, axis=0) for points in sets)
    return np.abs(a - b).mean()


def test_a_change_of_brightness_and_contrast_is_not_seen():
    images = random_images(30, (16, 16)) // 4 * 4
    paler = images // 2 + 40
    value = compare(collect(images), collect(paler))["swd2k"]
    assert value == pytest.approx(0, abs=0.1)


def test_batching_does_not_change_what_is_kept():
    images = random_images(10, (32, 32))
    whole = collect(images)
    parts = PatchAccumulator((32, 32), 3, seed=0)
    for first, end in ((0, 3), (3, 4), (4, 10)):
        parts.add(torch.arange(first, end), images[first:end])
    with contextlib.closing(parts):
        state = parts.state()
    for level in ("level0", "level1"):
        torch.testing.assert_close(state[level], whole[level], rtol=0, atol=0)


def test_parts_of_a_set_merge_to_the_whole():
    images = random_images(10, (32, 32))
    (statistic,) = METRIC.generated_statistics()
    merged = statistic.merged([collect(images[:6]), collect(images[6:], first=6)])
    assert compare(merged, collect(images)) == compare(collect(images), collect(images))


def test_the_two_sets_have_patches_at_places_of_their_own(make_dataset):
    images, pictures = random_images(3, (16, 16)), DatasetPictures(make_dataset(3, (16, 16)))
    states = []
    for (statistic,) in (METRIC.real_statistics(), METRIC.generated_statistics()):
        patches = statistic.accumulator(pictures, Networks())
        patches.add(torch.arange(3), images)
        with contextlib.closing(patches):
            states.append(patches.state()["level0"])
    assert not torch.equal(*states)


def test_blurred_pictures_are_farther_than_other_sharp_ones():
    real, other, third = (random_images(60, (32, 32), seed=s) for s in range(3))
    blurred = swd.pyramid_up(swd.pyramid_down(third.float()), (32, 32)).to(torch.uint8)
    near = compare(collect(real, 0), collect(other, 1))
    far = compare(collect(real, 0), collect(blurred, 1))
    assert far["swd2k/32"] > 3 * near["swd2k/32"]


def test_pictures_without_contrast_give_a_finite_value():
    grey = torch.full((4, 3, 16, 16), 128, dtype=torch.uint8)
    value = compare(collect(grey), collect(random_images(4, (16, 16))))["swd2k"]
    assert math.isfinite(value)
    assert value > 100


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_shape_and_number_of_channels_is_measured(channels):
    images = random_images(4, (32, 48), channels)
    values = METRICS["swd"].compute([collect(images, 0)], [collect(images, 1)], 0)
    assert list(values) == ["swd", "swd/32x48", "swd/16x24"]


def test_sets_of_different_numbers_are_refused():
    a, b = collect(random_images(3, (16, 16))), collect(random_images(4, (16, 16)))
    with pytest.raises(ShapeError, match=r"3 pictures .* 4 pictures"):
        compare(a, b)
    with pytest.raises(ShapeError, match=r"16x16 px with 3 channels and .* with 1 channels"):
        compare(a, collect(random_images(3, (16, 16), channels=1)))
