"""Sampled codes are those of seeds."""

from __future__ import annotations

import torch

from inversion.conftest import room_generator
from limner.editing.engine.samples import pictures, sampled_codes


def test_sample_i_is_seed_i() -> None:
    generator = room_generator("stylegan2")
    z, ws = sampled_codes(generator, 300)
    assert (z.shape, ws.shape) == ((300, 16), (300, 6, 48))
    for seed in (0, 255, 256, 299):
        assert torch.allclose(ws[seed], generator.seed_to_ws(seed)[0], atol=1e-9)


def test_labels_reach_the_mapping() -> None:
    generator = room_generator("stylegan2", c_dim=2)
    first, second = (sampled_codes(generator, 3, torch.eye(2).double()[i : i + 1])[1] for i in (0, 1))
    assert not torch.allclose(first, second)


def test_pictures_come_in_batches_and_are_counted() -> None:
    generator = room_generator("progan")
    ws = sampled_codes(generator, 5)[1]
    told: list[tuple[int, int]] = []
    made = list(pictures(generator, ws, 2, lambda done, total: told.append((done, total))))
    assert [len(images) for images in made] == [2, 2, 1]
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert torch.allclose(torch.cat(made), generator.synthesis(ws), atol=1e-9)
