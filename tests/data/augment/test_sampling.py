"""Oracles: PyTorch's padding and sampling, plain zero-insertion filters, adjointness, numerical derivatives."""

import pytest
import torch
from torch.nn import functional as F

from limner.data.augment.sampling import band_operators, downsample, reflect, sample, take_pixels, upsample
from limner.data.augment.wavelets import SYM6, band_filters


def test_reflection_continues_a_row_as_reflect_padding_does():
    row = torch.arange(5.0)
    padded = F.pad(row[None, None], (4, 4), mode="reflect")[0, 0]
    assert torch.equal(row[reflect(torch.arange(-4, 9), 5)], padded)


def test_reflection_is_endless():
    assert reflect(torch.tensor([-16, -8, 0, 8, 16, 17]), 5).tolist() == [0, 0, 0, 0, 0, 1]


def test_pixels_are_taken_from_the_named_places(pictures):
    images = pictures(2, 3, 4, 5)
    rows = torch.randint(0, 4, (2, 4, 5), generator=torch.Generator().manual_seed(0))
    columns = torch.randint(0, 5, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    taken = take_pixels(images, rows, columns)
    assert torch.equal(taken[1, 2, 3, 4], images[1, 2, rows[1, 3, 4], columns[1, 3, 4]])
    assert torch.equal(taken, torch.stack([image[:, r, c] for image, r, c in zip(images, rows, columns, strict=True)]))


def test_upsampling_is_zero_insertion_and_filtering_of_the_reflected_picture():
    size, margin = 16, 6
    row = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    padded = F.pad(row[None, None], (margin, margin), mode="reflect")[0, 0]
    inserted = torch.zeros(2 * len(padded), dtype=torch.float64)
    inserted[::2] = padded
    kernel = torch.tensor(SYM6, dtype=torch.float64) * 2**0.5
    full = F.conv1d(inserted[None, None], kernel.flip(0)[None, None], padding=len(SYM6) - 1)[0, 0]
    expected = full[2 * margin + 5 :][: 2 * size - 1]
    for images in (row.view(1, 1, 1, -1).expand(-1, -1, 2, -1), row.view(1, 1, -1, 1).expand(-1, -1, -1, 2)):
        upsampled = upsample(images)
        line = upsampled[0, 0, 0] if images.shape[2] == 2 else upsampled[0, 0, :, 0]
        torch.testing.assert_close(line, expected)


def test_downsampling_is_correlation_and_decimation():
    samples = torch.randn(1, 2, 18, 22, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taps = torch.tensor(SYM6, dtype=torch.float64) * 0.5**0.5
    kernel = (taps[:, None] * taps).expand(2, 1, -1, -1)
    torch.testing.assert_close(downsample(samples), F.conv2d(samples, kernel, stride=2, groups=2))


def test_upsampling_keeps_constants():
    torch.testing.assert_close(upsample(torch.full((1, 1, 7, 9), 0.3)), torch.full((1, 1, 13, 17), 0.3))


def test_downsampling_keeps_constants():
    torch.testing.assert_close(downsample(torch.full((1, 1, 24, 28), 0.3)), torch.full((1, 1, 7, 9), 0.3))


def test_the_bands_of_a_picture_sum_to_it():
    total = band_operators(9, torch.float64, torch.device("cpu")).sum(0)
    torch.testing.assert_close(total, torch.eye(9, dtype=torch.float64))


def test_a_band_is_the_filtered_reflected_row():
    row = torch.randn(32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    padded = F.pad(row[None, None], (21, 21), mode="reflect")
    expected = F.conv1d(padded, torch.from_numpy(band_filters())[:, None])[0]  # [4, 32]
    torch.testing.assert_close(band_operators(32, torch.float64, torch.device("cpu")) @ row, expected)


def test_operators_made_in_inference_mode_serve_training_later():
    images = torch.zeros(1, 1, 3, 23)
    with torch.inference_mode():
        upsample(images)
    images.requires_grad_()
    upsample(images).sum().backward()
    assert images.grad.sum().item() == pytest.approx(5 * 45, rel=1e-5)


def test_sampling_at_the_samples_returns_them(pictures):
    images = pictures(2, 3, 4, 5)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 5), indexing="ij")
    grid = torch.stack([x, y], dim=2).expand(2, -1, -1, -1)
    torch.testing.assert_close(sample(images, grid), images)


def test_sampling_beyond_the_border_mirrors_the_inside(pictures):
    images = pictures(1, 1, 6, 6)
    inside = torch.tensor([0.6, -0.2]).view(1, 1, 1, 2)
    outside = torch.tensor([[1.4, -0.2], [0.6, -1.8], [-3.4, 3.8]]).view(1, 1, 3, 2)
    torch.testing.assert_close(sample(images, outside), sample(images, inside).expand(-1, -1, -1, 3))


def test_sampling_has_correct_first_and_second_derivatives():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 2, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    grid = torch.rand(2, 3, 4, 2, dtype=torch.float64, generator=generator) * 4 - 2
    assert torch.autograd.gradcheck(lambda x: sample(x, grid), images)
    assert torch.autograd.gradgradcheck(lambda x: sample(x, grid), images)


def test_a_gradient_penalty_through_sampling_reaches_the_pictures():
    images = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    grid = torch.rand(1, 3, 3, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    (grad,) = torch.autograd.grad(sample(images, grid).square().sum(), images, create_graph=True)
    grad.square().sum().backward()
    assert images.grad.abs().sum() > 0
