"""Style mixing: which layers, whose picture, which files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import limner
from conftest import write_pictures
from limner.api import mix
from limner.api.inverting import InvertRequest, invert
from limner.api.mixing import mixed, named_layers, parse_layers
from limner.errors import CheckpointError, ConfigError
from limner.latents import Latents


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    ("num_ws", "coarse", "middle", "fine"),
    [
        (18, range(4), range(4, 8), range(8, 18)),  # 1024 px: the paper's Figure 3
        (10, range(4), range(4, 8), range(8, 10)),  # 64 px
        (8, range(3), range(3, 6), range(6, 8)),
        (6, range(2), range(2, 4), range(4, 6)),
        (4, range(2), range(2, 3), range(3, 4)),
        (1, range(1), range(1, 1), range(1, 1)),
    ],
)
def test_groups_of_layers(num_ws: int, coarse: range, middle: range, fine: range) -> None:
    assert named_layers(num_ws) == {"coarse": coarse, "middle": middle, "fine": fine}


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=40))
def test_every_layer_is_in_one_group(num_ws: int) -> None:
    assert [layer for group in named_layers(num_ws).values() for layer in group] == list(range(num_ws))


@pytest.mark.parametrize(("text", "layers"), [("coarse", [0, 1]), ("0-2", [0, 1, 2]), ("5,1,1", [1, 5])])
def test_layers_by_word_and_number(text: str, layers: list[int]) -> None:
    assert parse_layers(text, 6) == layers


@pytest.mark.parametrize(
    ("text", "num_ws", "message"),
    [
        ("corse", 6, "layers: got 'corse'.* Did you mean 'coarse'?"),
        ("0-6", 6, "layers: got 6, expected 0 to 5"),
        ("3-1", 6, "expected it to rise"),
        ("fine", 1, "1 layers has none that are fine"),
    ],
)
def test_other_layers_are_refused(text: str, num_ws: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_layers(text, num_ws)


def test_mixing_takes_the_chosen_layers_and_no_others() -> None:
    row, col = torch.zeros(1, 4, 2), torch.ones(1, 4, 2)
    assert mixed(row, col, [1, 2])[0, :, 0].tolist() == [0, 1, 1, 0]
    assert not row.any()


def test_a_folder_gets_every_picture_with_sources_and_sheet(tiny_run: Path, tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    mixture = mix(
        tiny_run,
        tmp_path / "mix",
        rows="1,2",
        cols="3-5",
        layers="coarse",
        command="limner mix",
        progress=lambda *c: counts.append(c),
    )
    assert mixture.layers == [0, 1]
    names = {"1-1", "2-2", "3-3", "4-4", "5-5", "1-3", "1-4", "1-5", "2-3", "2-4", "2-5", "grid"}
    assert {path.stem for path in mixture.paths} == names
    assert {path.name for path in (tmp_path / "mix").iterdir()} == {*(f"{name}.png" for name in names), "command.txt"}
    assert counts[-1] == (11, 11)
    source = np.asarray(limner.load(tiny_run).sample([2])[0])
    assert np.array_equal(pixels(tmp_path / "mix" / "2-2.png"), source)


def test_taking_every_layer_gives_the_columns_picture_and_one_gives_a_mixture(tiny_run: Path, tmp_path: Path) -> None:
    mix(tiny_run, tmp_path / "all", rows="1", cols="2", layers="0-5")
    mix(tiny_run, tmp_path / "one", rows="1", cols="2", layers="0")
    assert np.array_equal(pixels(tmp_path / "all" / "1-2.png"), pixels(tmp_path / "all" / "2-2.png"))
    mixture = pixels(tmp_path / "one" / "1-2.png")
    assert not np.array_equal(mixture, pixels(tmp_path / "one" / "1-1.png"))
    assert not np.array_equal(mixture, pixels(tmp_path / "one" / "2-2.png"))


def test_a_png_gets_the_sheet_alone_with_sources_on_its_edges(tiny_run: Path, tmp_path: Path) -> None:
    mixture = mix(tiny_run, tmp_path / "sheet.png", rows=[1], cols=[2, 3], layers="fine")
    assert mixture.paths == [tmp_path / "sheet.png"] == list(tmp_path.iterdir())
    sheet = pixels(tmp_path / "sheet.png")
    row_source = np.asarray(limner.load(tiny_run).sample([1])[0])
    col_source = np.asarray(limner.load(tiny_run).sample([3])[0])
    assert contains(sheet, row_source)
    assert contains(sheet[:, -16:], col_source)


def contains(sheet: np.ndarray, picture: np.ndarray) -> bool:
    height, width = picture.shape[:2]
    places = ((y, x) for y in range(sheet.shape[0] - height + 1) for x in range(sheet.shape[1] - width + 1))
    return any(np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in places)


def test_another_ending_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a \.png or a folder"):
        mix(tmp_path / "nothing", tmp_path / "sheet.jpg", rows="1", cols="2")


def test_inverted_pictures_are_mixed_with_seeds_and_with_one_another(tiny_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 2)
    request = InvertRequest(method="optimise", settings={"steps": 2}, perceptual="none")
    inverted = invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu")
    made = mix(tiny_run, tmp_path / "mixed", rows=inverted.folder, cols="5", layers="fine", device="cpu")
    assert [path.name for path in made.paths] == [
        "000-000.png",
        "001-001.png",
        "5-5.png",
        "000-5.png",
        "001-5.png",
        "grid.png",
    ]
    with Image.open(inverted.folder / "reconstructions" / "000.png") as reconstruction:
        assert np.abs(pixels(made.paths[0]).astype(int) - np.asarray(reconstruction)).max() <= 1
    codes = Latents("w+", torch.stack([found.ws for found in inverted.found]))
    file = codes.save(tmp_path / "codes.safetensors")
    again = mix(tiny_run, tmp_path / "own", rows=file, cols=inverted.folder, layers="0-3", device="cpu")
    assert np.array_equal(pixels(tmp_path / "own" / "codes-0-000.png"), pixels(tmp_path / "own" / "000-000.png"))
    assert again.paths[-1].name == "grid.png"


def test_pictures_of_one_name_are_told_apart(tiny_run: Path, tmp_path: Path) -> None:
    generator = limner.load(tiny_run, "cpu")
    for folder, seed in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        Latents("w+", generator.seed_to_ws(seed)).save(tmp_path / folder / "codes.safetensors")
    files = [tmp_path / folder / "codes.safetensors" for folder in ("a", "b")]
    made = mix(tiny_run, tmp_path / "mixed", rows=files[0], cols=files[1], device="cpu")
    assert {path.name for path in made.paths} >= {"codes-0-codes-0.png", "codes-0-col-codes-0-col.png"}


def test_codes_of_another_generator_are_refused(tiny_run: Path, conditional_run: Path, tmp_path: Path) -> None:
    photos = write_pictures(tmp_path / "photos", 1)
    request = InvertRequest(method="optimise", settings={"steps": 1}, perceptual="none")
    inverted = invert(tiny_run, [photos], tmp_path / "inverted", request, device="cpu").folder
    with pytest.raises(CheckpointError, match="holds codes of generator"):
        mix(conditional_run, tmp_path / "x.png", rows=inverted, cols="1", label=0, device="cpu")
