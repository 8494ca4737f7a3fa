"""The spread of W, and where a search starts."""

from __future__ import annotations

import numpy as np
import torch

from inversion.conftest import LinearGenerator, room_generator
from limner.inversion.engine.codes import nearest_z, sampled, spread_of_w, to_ws


def test_the_spread_is_that_of_ten_thousand_latents_of_one_stream(linear: LinearGenerator) -> None:
    z = torch.from_numpy(np.random.RandomState(123).randn(10_000, linear.z_dim))
    w = linear.mapping(z)[:, 0]
    spread = spread_of_w(linear)
    assert torch.allclose(spread.mean, w.mean(0).expand(2, -1), atol=1e-9)
    expected = (w - w.mean(0)).square().sum(1).mean().sqrt().item()
    assert abs(spread.deviation - expected) < 1e-9


def test_a_label_is_given_to_every_latent() -> None:
    generator = room_generator("stylegan2", c_dim=3)
    first, second = (spread_of_w(generator, torch.eye(3)[i : i + 1].double()).mean for i in (0, 1))
    assert not torch.allclose(first, second)


def test_the_nearest_z_is_nearest(linear: LinearGenerator) -> None:
    mean = spread_of_w(linear).mean
    found = (linear.mapping(nearest_z(linear, None)) - mean).square().sum()
    ((_, ws),) = sampled(linear, 1000, None)
    assert found <= (ws - mean).square().sum((1, 2)).min() + 1e-12


def test_codes_of_every_space_become_ws(linear: LinearGenerator) -> None:
    w = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(to_ws(w, "w", linear, None), w[:, None].expand(-1, 2, -1))
    assert torch.equal(to_ws(w, "z", linear, None), linear.mapping(w))
    ws = w[:, None].repeat(1, 2, 1)
    assert to_ws(ws, "w+", linear, None) is ws
