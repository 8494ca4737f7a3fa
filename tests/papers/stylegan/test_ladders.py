"""The ladders against the tables of the paper."""

from __future__ import annotations

from limner.papers.base import PresetRequest
from limner.papers.stylegan import LADDERS, PRESETS


def test_table_1_climbs_from_progressive_gan_to_stylegan() -> None:
    rungs = LADDERS["stylegan"].rungs
    assert [rung.preset for rung in rungs] == [f"stylegan-config-{row}" for row in "abcdef"]
    assert [rung.row[0] for rung in rungs] == list("ABCDEF")
    assert [rung.published["FID, FFHQ"] for rung in rungs] == [8.04, 5.25, 4.85, 4.88, 4.42, 4.40]
    assert [rung.published["FID, CelebA-HQ"] for rung in rungs] == [7.79, 6.11, 5.34, 5.07, 5.06, 5.17]


def test_table_2_has_four_shares_of_mixed_pictures() -> None:
    rungs = LADDERS["stylegan-mixing"].rungs
    shares = [PRESETS[rung.preset].build(PresetRequest()).objective.style_mixing_prob for rung in rungs]
    assert shares == [0, 0.5, 0.9, 1]
    assert [rung.row for rung in rungs] == ["0 %", "50 %", "90 %", "100 %"]
    assert [rung.published["FID, FFHQ"] for rung in rungs] == [4.42, 4.41, 4.40, 4.83]
    assert [rung.published["FID, FFHQ, 4 latents"] for rung in rungs] == [17.41, 11.61, 9.03, 8.40]


def test_every_rung_but_progressive_gan_is_a_preset_of_this_room() -> None:
    named = [rung.preset for ladder in LADDERS.values() for rung in ladder.rungs]
    assert [name for name in named if name not in PRESETS] == ["stylegan-config-a"]


def test_a_preset_quotes_the_score_of_its_rung() -> None:
    for ladder in LADDERS.values():
        for rung in ladder.rungs[1:]:
            assert f"FFHQ 1024: FID {rung.published['FID, FFHQ']:.2f}" in PRESETS[rung.preset].published
