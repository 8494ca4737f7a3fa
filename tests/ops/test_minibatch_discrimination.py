"""Minibatch discrimination against its closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from limner.ops.minibatch_discrimination import MinibatchDiscrimination


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_features_are_sums_of_exponentials_of_minus_distances_of_projections() -> None:
    layer = MinibatchDiscrimination(4, num_kernels=3, kernel_dim=2).double()
    x = torch.randn(5, 4).double()
    y = layer(x)
    assert y.shape == (5, 7)
    torch.testing.assert_close(y[:, :4], x)
    for kernel in range(3):
        projected = x @ layer.weight[:, 2 * kernel : 2 * kernel + 2]
        for i in range(5):
            expected = sum(math.exp(-(projected[i] - projected[j]).abs().sum().item()) for j in range(5))
            assert y[i, 4 + kernel].item() == pytest.approx(expected)


def test_equal_samples_count_each_other_and_distant_ones_only_themselves() -> None:
    layer = MinibatchDiscrimination(4, num_kernels=3)
    x = torch.randn(1, 4)
    torch.testing.assert_close(layer(x.repeat(6, 1))[:, 4:], torch.full((6, 3), 6.0))
    distant = x + 1000 * torch.arange(6.0)[:, None]
    torch.testing.assert_close(layer(distant)[:, 4:], torch.ones(6, 3))


def test_published_sizes_are_the_defaults() -> None:
    """ProGAN paper, Table 1 row (e*); Salimans et al. 2016: 100 kernels of 5 dimensions."""
    assert MinibatchDiscrimination(8).weight.shape == (8, 500)


def test_the_order_of_the_batch_only_reorders_the_result() -> None:
    layer, x, order = MinibatchDiscrimination(4, 3), torch.randn(6, 4), torch.randperm(6)
    torch.testing.assert_close(layer(x[order]), layer(x)[order])


def test_first_and_second_derivatives_are_right() -> None:
    layer = MinibatchDiscrimination(3, 2, 2).double()
    x = torch.randn(3, 3).double().requires_grad_()
    assert gradcheck(lambda x, _: layer(x), (x, layer.weight))
    assert gradgradcheck(lambda x, _: layer(x), (x, layer.weight))
