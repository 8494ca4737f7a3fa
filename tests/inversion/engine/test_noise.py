"""The penalty of noise maps in closed form, and their normalisation."""

from __future__ import annotations

import torch

from inversion.conftest import room_generator
from limner.inversion.engine.noise import correlation, draw_noises, normalize


def test_a_constant_map_is_as_bad_as_can_be() -> None:
    """Every mean is 1 at 16 and at 8 pixels, along both axes: 4."""
    assert correlation([torch.ones(2, 1, 16, 16)]).tolist() == [4.0, 4.0]


def test_stripes_are_correlated_one_way_and_anticorrelated_the_other() -> None:
    """At 16 px the means are -1 and 1, squares 1 and 1; at 8 px the stripes have averaged out."""
    stripes = torch.ones(1, 1, 16, 16)
    stripes[..., ::2] = -1
    assert correlation([stripes]).tolist() == [2.0]


def test_small_maps_count_at_their_own_size_and_maps_add_up() -> None:
    assert correlation([torch.ones(1, 1, 4, 4), torch.full((1, 1, 8, 4), 2.0)]).tolist() == [2.0 + 2 * 16]


def test_normal_noise_is_hardly_correlated() -> None:
    noise = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    assert correlation([noise]).item() < 0.05


def test_normalising_gives_mean_zero_and_square_one_in_place() -> None:
    noise = torch.rand(2, 1, 4, 6, generator=torch.Generator().manual_seed(0)) + 3
    normalize([noise])
    assert torch.allclose(noise.mean((2, 3)), torch.zeros(2, 1), atol=1e-6)
    assert torch.allclose(noise.square().mean((2, 3)), torch.ones(2, 1), atol=1e-6)


def test_every_picture_is_drawn_the_same_maps() -> None:
    generator = room_generator("stylegan", (16, 8))
    noises = draw_noises(generator, 2, torch.Generator().manual_seed(4))
    assert [tuple(noise.shape) for noise in noises] == [(2, 1, *shape) for shape in generator.noise_shapes]
    assert all(torch.equal(noise[0], noise[1]) and noise.requires_grad for noise in noises)
