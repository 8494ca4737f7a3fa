"""The history of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.figures.conftest import Contexts, network, pixels
from conftest import tiny_config, write_run
from limner.api.figures import growth
from limner.config import RunConfig, with_changes

GROWING = {
    "schedule.grow": True,
    "schedule.initial_resolution": 4,
    "schedule.stable_kimg": 10,
    "schedule.fade_kimg": 10,
}


def config(**changes: object) -> RunConfig:
    return with_changes(tiny_config("faces.zip"), changes)


def write_grid(run: Path, name: str, level: int) -> None:
    """A grid of 4 x 2 pictures, cell i filled with 10 i + level."""
    grid = np.zeros((32, 64), np.uint8)
    for cell in range(8):
        top, left = cell // 4 * 16, cell % 4 * 16
        grid[top : top + 16, left : left + 16] = 10 * cell + level
    (run / "samples").mkdir(exist_ok=True)
    Image.fromarray(grid).save(run / "samples" / f"{name}.png")


def test_rows_are_latents_and_columns_moments(context: Contexts, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", config())
    for name, level in (("000000", 0), ("000000.512", 1), ("000012", 2)):
        write_grid(run, name, level)
    asked = context(network("stylegan2-tiny"), run_dir=run)
    assert growth.draw(asked) == [asked.out / "growth.png"]
    cells, captions = asked.tables["growth"]
    assert captions["rows"] == ["seed 0", "seed 1", "seed 3", "seed 4", "seed 6"]
    assert captions["columns"] == ["0 kimg", "0.512 kimg", "12 kimg"]
    values = [[pixels(cell).mean() for cell in row] for row in cells]
    assert values == [[10 * place + level for level in (0, 1, 2)] for place in (0, 1, 3, 4, 6)]


@pytest.mark.parametrize(
    ("kimg", "text"),
    [
        (0, "0 kimg\n4 px"),
        (10, "10 kimg\n4 px"),
        (15, "15 kimg\n8 px\nalpha 0.50"),
        (25, "25 kimg\n8 px"),
        (32.5, "32.5 kimg\n16 px\nalpha 0.25"),
        (99, "99 kimg\n16 px"),
    ],
)
def test_a_growing_run_says_resolution_and_fade(kimg: float, text: str) -> None:
    assert growth.caption(config(**GROWING), kimg) == text


def test_without_a_run_or_its_grids_it_says_what_it_needs(context: Contexts, tmp_path: Path) -> None:
    assert growth.draw(context(network("stylegan2-tiny"))) == "it needs the history of a run; give the run's folder"
    run = write_run(tmp_path / "run", config())
    write_grid(run, "000000", 0)
    expected = "it needs at least two sample grids, and the run has 1"
    assert growth.draw(context(network("stylegan2-tiny"), run_dir=run)) == expected
