"""What a ladder says: the table, the orderings, the page."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from PIL import Image

from limner.api.ladder import RungResult, write_ladder
from limner.api.ladder.writing import mean_score, orderings, verdict
from limner.papers.base import Ladder, Rung

RUNGS = (
    Rung(row="A: first", preset="one", published={"FID": 8.0}),
    Rung(row="B: + <better>", preset="two", published={"FID": 5.0}),
    Rung(row="C: unpublished", preset="three"),
)
LADDER = Ladder(title="What helps", source="a paper, Table 1", rungs=RUNGS)


def result(rung: Rung, seed: int, score: float | None, failure: str = "", folder: Path = Path("none")) -> RungResult:
    return RungResult(
        rung=rung,
        seed=seed,
        folder=folder,
        kimg=20,
        seconds=60,
        curve=() if score is None else ((10, 2 * score), (20, score)),
        metrics={} if score is None else {"swd2k": score},
        control=1.5,
        failure=failure,
    )


RESULTS = [result(RUNGS[0], 0, 40), result(RUNGS[1], 0, 30), result(RUNGS[2], 0, 20), result(RUNGS[0], 1, 44)]


def test_the_mean_is_over_seeds_and_needs_all_of_them() -> None:
    assert mean_score(RESULTS, RUNGS[0]) == 42
    assert mean_score([*RESULTS, result(RUNGS[0], 2, None)], RUNGS[0]) is None


def test_each_step_is_compared_seed_by_seed_where_both_scores_are_known() -> None:
    (row,) = orderings([*RESULTS, result(RUNGS[1], 1, 50)], "FID")
    assert row == (RUNGS[0], RUNGS[1], -3.0, [-10, 6])
    assert verdict(row[2], row[3]) == "mixed"


@pytest.mark.parametrize(
    ("ours", "said"), [([], "not measured"), ([-1, -2], "yes"), ([1, 2], "no"), ([-1, 1], "mixed"), ([0.0], "no")]
)
def test_a_verdict_needs_all_seeds_to_agree(ours: list[float], said: str) -> None:
    assert verdict(-3.0, ours) == said


def test_a_failed_run_has_no_score_even_if_it_was_measured_before() -> None:
    failed = result(RUNGS[0], 0, 40, "exploded")
    assert failed.score is None
    assert orderings([failed, result(RUNGS[1], 0, 30)], "FID")[0][3] == []


def test_the_page_and_the_table_hold_everything(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "seed-0"
    (folder / "samples").mkdir(parents=True)
    Image.new("RGB", (64, 32), "red").save(folder / "samples" / "000020.png")
    results = [result(RUNGS[0], 0, 40, folder=folder), *RESULTS[1:], result(RUNGS[1], 1, None, "phase D: exploded")]
    page, table = write_ladder(LADDER, results, tmp_path, metric="swd2k", command="limner ladder x", budget="20 kimg.")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["preset"] for row in rows] == ["one", "two", "three", "one", "two"]
    assert math.isclose(float(rows[0]["swd2k"]), 40)
    assert rows[0]["FID"] == "8"
    assert rows[4]["failure"] == "phase D: exploded"
    text = page.read_text()
    for expected in (
        "<h1>What helps</h1>",
        "20 kimg. Real pictures against other real pictures score 1.5. Lower swd2k is better.",
        "B: + &lt;better&gt;",
        "<b>42</b> (40, 44)",
        "30, failed",
        "A: first &rarr; B: + &lt;better&gt;</th><td>FID</td><td>-3</td><td>-10</td><td>yes</td>",
        "swd2k, seed 0",
        'src="data:image/png;base64,',
    ):
        assert expected in text
