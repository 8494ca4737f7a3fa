"""Sampling: pictures from seeds, each from its own seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import limner
from limner.errors import ConfigError
from limner.papers.base import Generator, seed_to_noises, seed_to_z


@pytest.fixture(scope="module")
def G(tiny_run: Path) -> Generator:
    return limner.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def conditional(conditional_run: Path) -> Generator:
    return limner.load(conditional_run, device="cpu")


def pixels(pictures: list[Image.Image]) -> list[np.ndarray]:
    return [np.asarray(picture) for picture in pictures]


def test_a_seed_is_the_latent_of_numpys_frozen_generator() -> None:
    z = seed_to_z(0, 512)
    assert z.shape == (1, 512)
    assert z.dtype == torch.float32
    # RandomState(0).randn begins like this on every machine: NumPy has frozen the stream.
    assert np.allclose(z[0, :3], [1.76405235, 0.40015721, 0.97873798], atol=1e-7)


def test_noise_of_a_seed_continues_the_stream_of_its_z() -> None:
    stream = np.random.RandomState(7).randn(16 + 4 * 4 + 8 * 8)
    first, second = seed_to_noises(7, 16, [(4, 4), (8, 8)])
    assert first.shape == (1, 1, 4, 4)
    assert np.allclose(first.flatten(), stream[16:32])
    assert np.allclose(second.flatten(), stream[32:])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(G: Generator, seed: int) -> None:
    for make in (lambda: G.sample([seed]), lambda: seed_to_noises(seed, 4, [])):
        with pytest.raises(ConfigError, match=f"seed: got {seed}, expected 0 to 4294967295"):
            make()


def test_a_picture_is_the_generators_output_for_its_seed(G: Generator) -> None:
    (picture,) = G.sample([3], truncation_psi=0.7)
    assert picture.size == (16, 16)
    assert picture.mode == "RGB"
    with torch.no_grad():
        image = G(seed_to_z(3, G.z_dim), truncation_psi=0.7)[0]
    expected = (image * 127.5 + 128).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    assert np.array_equal(np.asarray(picture), expected)


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_a_picture_depends_on_its_own_seed_alone(G: Generator, noise_mode: str) -> None:
    together = pixels(G.sample([1, 2, 3, 2], noise_mode=noise_mode))  # type: ignore[arg-type]
    torch.manual_seed(99)
    (alone,) = pixels(G.sample([2], noise_mode=noise_mode))  # type: ignore[arg-type]
    assert np.array_equal(alone, together[1])
    assert np.array_equal(alone, together[3])
    assert not np.array_equal(together[0], together[1])


def test_sampling_leaves_the_global_random_numbers_alone(G: Generator) -> None:
    before = torch.get_rng_state()
    G.sample([1], noise_mode="random")
    assert torch.equal(before, torch.get_rng_state())


def test_noise_modes_differ(G: Generator) -> None:
    const, random, none = (pixels(G.sample([1], noise_mode=mode))[0] for mode in ("const", "random", "none"))
    assert not np.array_equal(const, random)
    assert not np.array_equal(const, none)


def test_progress_counts_the_pictures(G: Generator) -> None:
    counts: list[int] = []
    G.sample([4, 5, 6], progress=counts.append)
    assert counts == [1, 2, 3]


def test_no_seeds_give_no_pictures(G: Generator) -> None:
    assert G.sample([]) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"truncation_psi": float("nan")}, "truncation psi: got nan"),
        ({"truncation_cutoff": 7}, "truncation cutoff: got 7, expected 0 to 6"),
        ({"truncation_cutoff": -1}, "truncation cutoff: got -1"),
        ({"noise_mode": "ramdom"}, "noise mode: got 'ramdom'.* Did you mean 'random'?"),
        ({"label": 1}, "label: got 1, but this generator is unconditional"),
    ],
)
def test_a_wrong_setting_is_named(G: Generator, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        G.sample([0], **settings)


def test_a_class_number_is_its_one_hot_vector(conditional: Generator) -> None:
    by_number, by_vector, other = (pixels(conditional.sample([1], label=label))[0] for label in (1, [0.0, 1.0, 0.0], 2))
    assert np.array_equal(by_number, by_vector)
    assert not np.array_equal(by_number, other)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, r"got none, but this generator is conditional: give the number of a class \(0 to 2\)"),
        (3, "got 3, expected 0 to 2"),
        (-1, "got -1, expected 0 to 2"),
        ([1.0, 0.0], "got a vector of 2 numbers, expected 3"),
    ],
)
def test_a_wrong_label_is_told_what_fits(conditional: Generator, label: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        conditional.sample([0], label=label)  # type: ignore[arg-type]


def test_a_generator_without_gradients_makes_no_graph(G: Generator) -> None:
    assert not G.seed_to_ws(1).requires_grad
    assert G.seed_to_ws(1).shape == (1, G.num_ws, G.w_dim)
