"""Drawing figures: which, for whom, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from api.figures.conftest import Contexts, network
from conftest import tiny_config, write_run
from limner import registry
from limner.api.figures import draw_figures, names
from limner.api.figures.runner import get
from limner.config import Resolution, RunConfig, with_changes
from limner.errors import CheckpointError, ConfigError, DataError
from limner.papers.base import PresetRequest

NAMES = (
    *("growth", "nearest", "uncurated", "mixing", "noise-deviation", "noise-layers", "truncation", "interpolation"),
    *("droplets", "contribution"),
)


def small_config(preset: str) -> RunConfig:
    """A preset at 16 pixels with narrow networks."""
    config = (
        registry.get("papers", preset.partition("-")[0])
        .PRESETS[preset]
        .build(PresetRequest(resolution=(16, 16), batch=8))
    )
    small = {"generator.channel_max": 8, "discriminator.channel_max": 8, "generator.z_dim": 16}
    return with_changes(config, {**small, "data.path": "faces.zip"})


def test_every_file_is_a_figure_in_the_order_of_its_source() -> None:
    assert names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_its_title_source_and_what_to_see(name: str) -> None:
    figure = get(name)
    assert figure.TITLE
    assert " paper, " in figure.SOURCE
    assert figure.CAPTION.endswith(".")


@pytest.mark.parametrize("preset", ["progan-tiny", "progan-a", "stylegan-tiny", "stylegan2-tiny", "stylegan2-config-d"])
def test_every_figure_is_drawn_or_says_why_not(
    tmp_path: Path, picture_folder: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.setattr("limner.api.figures.noise_deviation.NUM_DRAWS", 5)
    run = write_run(tmp_path / "run", small_config(preset))
    counts: list[tuple[int, int]] = []
    made = draw_figures(
        run, tmp_path / "out", data=str(picture_folder), command="limner figures", progress=lambda *c: counts.append(c)
    )
    assert {*made.drawn, *made.absent} == set(NAMES)
    assert {"nearest", "uncurated", "truncation", "interpolation"} <= set(made.drawn)
    assert all(made.absent.values())
    assert counts == [(done, 10) for done in range(1, 11)]
    files = [path for paths in made.drawn.values() for path in paths]
    text = made.page.read_text()
    for path in files:
        assert f'"{path.name}"' in text
        if path.suffix == ".png":
            with Image.open(path) as sheet:
                sheet.verify()
    expected = {path.name for path in files} | {"figures.html", "command.txt"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected


@pytest.mark.parametrize(("resolution", "channels"), [((48, 64), 4), ((40, 24), 2), ((8, 8), 1), ((4, 4), 3)])
def test_pictures_of_other_shapes_and_kinds_are_no_trouble(
    context: Contexts, monkeypatch: pytest.MonkeyPatch, resolution: Resolution, channels: int
) -> None:
    monkeypatch.setattr("limner.api.figures.noise_deviation.NUM_DRAWS", 5)
    asked = context(network("stylegan2-config-f", resolution, channels=channels))
    absent = [name for name in NAMES if isinstance(get(name).draw(asked), str)]
    assert absent == ["growth", "nearest", *["contribution"] * (resolution == (4, 4))]


def test_some_figures_of_a_snapshot_and_a_class(conditional_run: Path, tmp_path: Path) -> None:
    snapshot = conditional_run / "snapshots" / "000002"
    made = draw_figures(snapshot, tmp_path, which="truncation, growth,truncation", label=1)
    assert {name: [path.name for path in paths] for name, paths in made.drawn.items()} == {
        "truncation": ["truncation.png"]
    }
    assert made.absent == {"growth": "it needs the history of a run; give the run's folder"}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"which": "trunction"}, ConfigError, "figure: got 'trunction', expected all, .* Did you mean 'truncation'?"),
        ({"seeds": "4-2"}, ConfigError, "expected it to rise"),
        ({"label": 1}, ConfigError, "this generator is unconditional"),
        ({"truncation_psi": float("nan")}, ConfigError, "truncation psi: got nan"),
        ({"data": "nowhere"}, DataError, "no such folder or file: nowhere"),
        ({"device": "abacus"}, ConfigError, "abacus"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_drawn(
    tiny_run: Path, tmp_path: Path, settings: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        draw_figures(tiny_run, tmp_path / "out", **settings)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_conditional_network_needs_a_class(conditional_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this generator is conditional"):
        draw_figures(conditional_run, tmp_path)


def test_a_folder_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no snapshot"):
        draw_figures(tmp_path, tmp_path / "out")


def test_the_page_names_the_network(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tiny_config("faces.zip"))
    made = draw_figures(run, tmp_path / "out", which=["droplets"])
    assert "run: 16x16 (height x width), num_ws 6" in made.page.read_text()
