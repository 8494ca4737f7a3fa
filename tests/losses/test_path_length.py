"""Path lengths against closed forms and against torch's own convolutions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.path_length import path_lengths
from limner.ops.conv import conv2d
from limner.ops.modulated_conv import demodulation, modulated_conv2d
from ops import plain


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_of_a_linear_generator_it_is_the_norm_of_the_transposed_matrix_times_the_direction() -> None:
    """With images = A (mean over L layers of ws) every J_l is A / L, so the mean of |J_l^T y|^2 is |A^T y|^2 / L^2."""
    layers, ws = 4, torch.randn(5, 4, 6).double().requires_grad_()
    matrix, noise = torch.randn(3 * 2 * 8, 6).double(), torch.randn(5, 3, 2, 8).double()
    images = (ws.mean(1) @ matrix.t()).reshape(5, 3, 2, 8)
    expected = (noise.flatten(1) / math.sqrt(2 * 8) @ matrix).norm(dim=1) / layers
    torch.testing.assert_close(path_lengths(images, ws, noise), expected)


def test_it_is_the_root_of_the_mean_over_layers_of_squared_norms() -> None:
    """Layer l moves only picture row l, so its gradient is the direction's row times a known factor."""
    ws = torch.randn(2, 3, 4).double().requires_grad_()
    factors = torch.tensor([1.0, 2.0, 5.0]).double()
    noise = torch.randn(2, 1, 3, 4).double()
    images = (ws * factors[:, None])[:, None]
    rows = noise[:, 0].square().sum(2) / 12 * factors.square()
    torch.testing.assert_close(path_lengths(images, ws, noise), rows.mean(1).sqrt())


def test_repeating_every_pixel_doubles_the_length_of_a_direction_scaled_for_resolution() -> None:
    """Twice the resolution, four times the pixels: J^T y sums 4 times the terms over sqrt(4) times the divisor."""
    ws, noise = torch.randn(1, 1, 5).double().requires_grad_(), torch.randn(1, 1, 2, 2).double()
    images = (ws[:, 0] @ torch.randn(5, 4).double()).reshape(1, 1, 2, 2)
    larger = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    large_noise = noise.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(path_lengths(larger, ws, large_noise), 2 * path_lengths(images, ws, noise))


def test_the_gradient_of_a_penalty_through_modulated_layers_equals_that_of_per_sample_weights() -> None:
    """Second order through modulation, demodulation and two convolutions, against weights built per sample."""
    ws = torch.randn(3, 2, 4).double().requires_grad_()
    x, noise = torch.randn(1, 4, 5, 6).double(), torch.randn(3, 2, 5, 6).double()
    weights = [torch.randn(4, 4, 3, 3).double().requires_grad_(), torch.randn(2, 4, 1, 1).double().requires_grad_()]

    def ours(ws: Tensor) -> Tensor:
        hidden = modulated_conv2d(x.expand(3, -1, -1, -1), weights[0], ws[:, 0])
        hidden = F.leaky_relu(hidden * demodulation(weights[0], ws[:, 0])[:, :, None, None], 0.2).tanh()
        return conv2d(hidden * ws[:, 1, :, None, None], weights[1])

    def theirs(ws: Tensor) -> Tensor:
        hidden = plain.modulated_conv2d(x.expand(3, -1, -1, -1), weights[0], ws[:, 0])
        return plain.modulated_conv2d(F.leaky_relu(hidden, 0.2).tanh(), weights[1], ws[:, 1], demodulate=False)

    lengths = path_lengths(ours(ws), ws, noise)
    (gradient,) = torch.autograd.grad((theirs(ws) * noise / math.sqrt(30)).sum(), ws, create_graph=True)
    expected = gradient.square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(lengths, expected)
    losses = [(values - 0.3).square().mean() for values in (lengths, expected)]
    torch.testing.assert_close(*(torch.autograd.grad(loss, weights) for loss in losses))
