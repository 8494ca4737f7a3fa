"""The tables of the StyleGAN paper as ladders of presets, with their published scores.

Source: StyleGAN paper, Table 1 (rungs A to F; scores as third parties quote them, F's on FFHQ is also rung A of the
StyleGAN2 paper) and Table 2 (mixing regularization; scores from memory of the paper). Rung A of Table 1 is ProGAN and a
preset of that room.
"""

from __future__ import annotations

from limner.papers.base import Ladder, Rung

CONFIG_SCORES: dict[str, dict[str, float]] = {
    "A: baseline Progressive GAN": {"FID, CelebA-HQ": 7.79, "FID, FFHQ": 8.04},
    "B: + tuning, bilinear up and down": {"FID, CelebA-HQ": 6.11, "FID, FFHQ": 5.25},
    "C: + mapping and styles": {"FID, CelebA-HQ": 5.34, "FID, FFHQ": 4.85},
    "D: - traditional input": {"FID, CelebA-HQ": 5.07, "FID, FFHQ": 4.88},
    "E: + noise inputs": {"FID, CelebA-HQ": 5.06, "FID, FFHQ": 4.42},
    "F: + mixing regularization": {"FID, CelebA-HQ": 5.17, "FID, FFHQ": 4.40},
}
"""Table 1: row -> scores; lower is better."""

MIXING_SCORES: dict[int, tuple[float, ...]] = {
    0: (4.42, 8.22, 12.88, 17.41),
    50: (4.41, 6.10, 8.71, 11.61),
    90: (4.40, 5.11, 6.88, 9.03),
    100: (4.83, 5.17, 6.63, 8.40),
}
"""Table 2: percentage of mixed pictures in training -> FID on FFHQ with 1, 2, 3 and 4 latents mixed in testing."""


def config_preset(row: str) -> str:
    """The preset of a row of Table 1."""
    return f"stylegan-config-{row[0].lower()}"


def mixing_preset(percentage: int) -> str:
    """The preset of a row of Table 2; 0 and 90 % are rows E and F of Table 1."""
    return {0: "stylegan-config-e", 90: "stylegan-config-f"}.get(percentage, f"stylegan-mixing-{percentage}")


LADDERS = {
    "stylegan": Ladder(
        title="From Progressive GAN to StyleGAN",
        source="StyleGAN paper, Table 1 (scores as third parties quote them)",
        rungs=tuple(
            Rung(row=row, preset=config_preset(row), published=scores) for row, scores in CONFIG_SCORES.items()
        ),
    ),
    "stylegan-mixing": Ladder(
        title="Mixing regularization, by the share of mixed pictures in training",
        source="StyleGAN paper, Table 2 (scores from memory)",
        rungs=tuple(
            Rung(
                row=f"{percentage} %",
                preset=mixing_preset(percentage),
                published={
                    "FID, FFHQ" if count == 1 else f"FID, FFHQ, {count} latents": fid
                    for count, fid in enumerate(scores, 1)
                },
            )
            for percentage, scores in MIXING_SCORES.items()
        ),
    ),
}
