"""The ladders against the presets they name and the numbers those quote."""

from __future__ import annotations

import pytest

from limner.papers.stylegan2 import LADDERS, PRESETS

RUNGS = [(name, rung) for name, ladder in LADDERS.items() for rung in ladder.rungs]


def test_the_room_has_the_tables_of_the_paper() -> None:
    rungs = {name: [rung.preset for rung in ladder.rungs] for name, ladder in LADDERS.items()}
    assert rungs == {
        "stylegan2": [f"stylegan2-config-{row}" for row in "abcdef"],
        "stylegan2-architectures": [
            f"stylegan2-config-e-g{g}-d{d}" for g in ("orig", "skip", "resnet") for d in ("orig", "skip", "resnet")
        ],
    }
    assert all(f"Table {number}" in ladder.source for number, ladder in enumerate(LADDERS.values(), 1))


@pytest.mark.parametrize(("name", "rung"), RUNGS, ids=[rung.preset for _, rung in RUNGS])
def test_a_rung_has_the_scores_its_preset_quotes(name: str, rung: object) -> None:
    row, preset, scores = rung.row, rung.preset, rung.published  # type: ignore[attr-defined]
    assert list(scores) == ["FID, FFHQ", "PPL, FFHQ", "FID, LSUN Car", "PPL, LSUN Car"]
    if preset == "stylegan2-config-a":  # of another room
        assert row == "A: baseline StyleGAN"
        return
    assert f"FID {scores['FID, FFHQ']}, PPL {scores['PPL, FFHQ']} (Table {1 if name == 'stylegan2' else 2}" in (
        PRESETS[preset].published
    )


def test_the_grid_agrees_with_row_e_where_they_meet() -> None:
    """Table 2 rounds path lengths to whole numbers (124.5 to 125)."""
    e = next(rung for _, rung in RUNGS if rung.preset == "stylegan2-config-e").published
    cell = next(rung for _, rung in RUNGS if rung.preset == "stylegan2-config-e-gskip-dresnet").published
    for score, value in cell.items():
        assert abs(e[score] - value) <= (0.5 if score.startswith("PPL") else 0), score
