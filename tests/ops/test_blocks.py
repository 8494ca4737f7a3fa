"""Blocks cover a batch once, and moments taken by blocks are those of the whole."""

from __future__ import annotations

import pytest
import torch

from limner.ops import blocks as blocks_module
from limner.ops.blocks import blocks, moments

SHAPES = [(5, 3, 4, 6), (2, 4, 9, 5), (3, 7, 1, 1), (1, 2, 30, 3)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("elements", [1, 50, 200, 10_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_cover_every_number_once_and_are_as_small_as_asked_where_a_row_is(
    shape: tuple[int, ...], elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_ELEMENTS", elements)
    counts = torch.zeros(shape)
    for block in blocks(counts):
        counts[block] += 1
        assert counts[block].numel() <= max(elements, shape[1] * shape[3])
    assert counts.eq(1).all()


@pytest.mark.parametrize("elements", [1, 50, 10_000])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_mean_and_biased_variance_over_pixels(
    shape: tuple[int, ...], memory_format: torch.memory_format, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_ELEMENTS", elements)
    x = (2 + 3 * torch.randn(shape)).double().contiguous(memory_format=memory_format)
    mean, variance = moments(x)
    torch.testing.assert_close(mean, x.mean((2, 3), keepdim=True))
    torch.testing.assert_close(variance, x.var((2, 3), correction=0, keepdim=True))


def test_a_mean_far_larger_than_the_deviation_cancels_nothing() -> None:
    """E[x^2] - E[x]^2 of float32 numbers near 1000 would be off by 0.1 of a variance of 1."""
    x = 1000 + torch.randn(2, 3, 64, 64)
    mean, variance = moments(x)
    torch.testing.assert_close(mean.double(), x.double().mean((2, 3), keepdim=True), rtol=1e-6, atol=0)
    exact = x.double().var((2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(variance.double(), exact, rtol=1e-4, atol=0)


def test_a_constant_has_no_variance() -> None:
    mean, variance = moments(torch.full((1, 2, 7, 3), 0.1))
    torch.testing.assert_close(mean, torch.full((1, 2, 1, 1), 0.1))
    assert variance.max() < 1e-14


def test_moments_of_half_precision_are_float32() -> None:
    x = (100 + torch.randn(1, 2, 16, 16)).half()
    mean, variance = moments(x)
    assert (mean.dtype, variance.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(variance.double(), x.double().var((2, 3), correction=0, keepdim=True), rtol=1e-3, atol=0)


@pytest.mark.parametrize("elements", [1, 50, 10_000])
def test_blocks_can_be_prepared_just_before_they_are_read(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_ELEMENTS", elements)
    x = torch.randn(3, 2, 5, 4).double()
    expected = 3 * x + 1
    mean, variance = moments(x, lambda block: x[block].mul_(3).add_(1))
    torch.testing.assert_close(x, expected)
    torch.testing.assert_close(mean, expected.mean((2, 3), keepdim=True))
    torch.testing.assert_close(variance, expected.var((2, 3), correction=0, keepdim=True))
