"""Codes as pictures: from seeds, files and folders of inverted pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import write_pictures
from limner.api import draw_codes, load
from limner.api.inverting import InvertRequest, invert
from limner.api.subjects import is_seeds
from limner.errors import CheckpointError
from limner.latents import Latents


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize("method", ["optimise", "project", "pti"])
def test_inverted_pictures_are_drawn_as_they_were_found(tiny_run: Path, tmp_path: Path, method: str) -> None:
    settings = {"pivot_steps": 1, "steps": 2, "stop": 0.0} if method == "pti" else {"steps": 2}
    request = InvertRequest(method=method, settings=settings, perceptual="none")
    folder = invert(tiny_run, [write_pictures(tmp_path / "photos", 2)], tmp_path / "in", request, device="cpu").folder
    told: list[tuple[int, int]] = []
    paths = draw_codes(
        tiny_run,
        tmp_path / "out",
        codes=folder,
        grid=True,
        device="cpu",
        command="x",
        progress=lambda *c: told.append(c),
    )
    assert [path.name for path in paths] == ["000.png", "001.png", "grid.png"]
    assert told == [(1, 2), (2, 2)]
    assert (tmp_path / "out" / "command.txt").read_text() == "x\n"
    for name in ("000", "001"):
        drawn, made = pixels(tmp_path / "out" / f"{name}.png"), pixels(folder / "reconstructions" / f"{name}.png")
        assert np.abs(drawn - made).max() <= 1


def test_latents_in_a_file_are_drawn(tiny_run: Path, tmp_path: Path) -> None:
    generator = load(tiny_run, "cpu")
    file = Latents("w+", generator.seed_to_ws(7)).save(tmp_path / "seven.safetensors")
    (path,) = draw_codes(tiny_run, tmp_path / "out", codes=file, device="cpu")
    assert path.name == "seven-0.png"
    assert np.array_equal(pixels(path), np.asarray(generator.sample([7])[0]))


def test_numbers_are_seeds_unless_something_has_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_seeds("0-3")
    assert is_seeds([1, 2])
    assert not is_seeds("inverted")
    (tmp_path / "3").mkdir()
    assert not is_seeds("3")


def test_what_is_neither_seeds_nor_codes_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="codes: got 'nothing', expected a folder of limner invert"):
        draw_codes(tiny_run, tmp_path / "out", codes="nothing", device="cpu")


def test_one_of_the_inverted_pictures_is_a_code_too(tiny_run: Path, tmp_path: Path) -> None:
    request = InvertRequest(settings={"steps": 1}, perceptual="none")
    folder = invert(tiny_run, [write_pictures(tmp_path / "photos", 2)], tmp_path / "in", request, device="cpu").folder
    file = folder / "found" / "001.safetensors"
    (path,) = draw_codes(tiny_run, tmp_path / "out", codes=file, device="cpu")
    assert path.name == "001.png"
    assert np.abs(pixels(path) - pixels(folder / "reconstructions" / "001.png")).max() <= 1
    file.rename(file.with_name("002.safetensors"))
    for codes, message in ((file.with_name("002.safetensors"), "has lost the code of '001'"), (folder, "has lost")):
        with pytest.raises(CheckpointError, match=message):
            draw_codes(tiny_run, tmp_path / "out", codes=codes, device="cpu")
    (folder / "inversion.json").unlink()
    with pytest.raises(CheckpointError, match="holds no finished inversion"):
        draw_codes(tiny_run, tmp_path / "out", codes=folder, device="cpu")


def test_a_file_of_codes_of_another_generator_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    request = InvertRequest(settings={"steps": 1}, perceptual="none")
    codes = invert(tiny_run, [write_pictures(tmp_path / "photos", 1)], tmp_path / "in", request, device="cpu").codes
    assert [path.name for path in draw_codes(tiny_run, tmp_path / "out", codes=codes, device="cpu")] == ["codes-0.png"]
    other = Latents("w+", load(tiny_run, "cpu").seed_to_ws(7), "0123456789abcdef").save(tmp_path / "o.safetensors")
    with pytest.raises(CheckpointError, match="holds codes of generator 0123456789abcdef, expected"):
        draw_codes(tiny_run, tmp_path / "out", codes=other, device="cpu")
