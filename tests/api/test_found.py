"""The file of one inverted picture, and rendering it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inversion.conftest import LinearGenerator
from limner.api.found import Found, load_found, render, save_codes
from limner.errors import CheckpointError, ConfigError
from limner.latents import Latents

WS = torch.randn(2, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def found(**changes: object) -> Found:
    settings = {"name": "a", "space": "w+", "code": WS, "ws": WS, "record": {"kept_step": 3}, **changes}
    return Found(**settings)


def test_a_file_gives_back_everything(tmp_path: Path) -> None:
    saved = found(noises=(torch.ones(1, 4, 4), torch.zeros(1, 8, 8)), delta={"weight": torch.full((2, 2), 0.5)})
    path = saved.save(tmp_path, "job")
    assert path == tmp_path / "found" / "a.safetensors"
    loaded = load_found(tmp_path, "a", "job")
    assert loaded is not None
    assert torch.equal(loaded.ws, WS)
    assert [tuple(noise.shape) for noise in loaded.noises] == [(1, 4, 4), (1, 8, 8)]
    assert (loaded.delta["weight"].dtype, loaded.delta["weight"].mean().item()) == (torch.float16, 0.5)
    assert loaded.record == {"kept_step": 3}


def test_another_job_and_no_file_are_nothing(tmp_path: Path) -> None:
    found().save(tmp_path, "job")
    assert load_found(tmp_path, "a", "other") is None
    assert load_found(tmp_path, "b") is None


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    Latents("w", torch.zeros(1, 4)).save(tmp_path / "found" / "a.safetensors")
    with pytest.raises(CheckpointError, match="holds no inversion of format 1"):
        load_found(tmp_path, "a")


def test_codes_of_all_pictures_are_one_file(tmp_path: Path) -> None:
    path = save_codes(tmp_path, [found(), found(name="b", code=2 * WS)], "abc")
    assert Latents.load(path).fingerprint == "abc"
    assert torch.allclose(Latents.load(path).values, torch.stack([WS, 2 * WS]).float())


def test_a_delta_is_added_for_one_picture_alone() -> None:
    generator = LinearGenerator()
    before = generator.weight.detach().clone()
    tuned = render(generator, WS[None], found(delta={"weight": before.half()}))
    assert torch.allclose(tuned, 2 * render(generator, WS[None]), atol=1e-3)
    assert torch.equal(generator.weight, before)
    with pytest.raises(ConfigError, match="tunes parameter 'bias', which this generator does not have"):
        render(generator, WS[None], found(delta={"bias": before}))
