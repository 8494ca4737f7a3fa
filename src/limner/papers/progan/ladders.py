"""The ablation table of the ProGAN paper as a ladder of presets, with its published scores.

Source: ProGAN paper, Table 1: sliced Wasserstein distance times 1000, averaged over levels, and MS-SSIM, on CelebA and
LSUN bedroom at 128 pixels. The scores are quoted from memory of the paper and were not looked up again.
"""

from __future__ import annotations

from limner.papers.base import Ladder, Rung

SCORES = ("SWD, CelebA", "MS-SSIM, CelebA", "SWD, LSUN bedroom", "MS-SSIM, LSUN bedroom")
"""What the table measures; lower is better for SWD, MS-SSIM says how alike pictures are."""

ROWS: dict[str, tuple[float, ...]] = {
    "(a) WGAN-GP baseline": (9.28, 0.2854, 11.25, 0.0587),
    "(b) + progressive growing": (4.28, 0.2838, 7.60, 0.0615),
    "(c) + small minibatch": (46.23, 0.4065, 49.52, 0.1061),
    "(d) + revised training parameters": (8.07, 0.3027, 6.54, 0.0662),
    "(e*) + minibatch discrimination": (9.84, 0.3057, 8.43, 0.0648),
    "(e) minibatch standard deviation": (7.04, 0.2950, 6.48, 0.0671),
    "(f) + equalized learning rate": (4.39, 0.2902, 4.02, 0.0668),
    "(g) + pixelwise normalization": (3.56, 0.2845, 4.01, 0.0640),
    "(h) converged": (2.96, 0.2828, 3.31, 0.0636),
}
"""Row -> `SCORES`."""


def letter(row: str) -> str:
    """The row's name in the table: `a`, `e*`, ..."""
    return row.split()[0].strip("()")


def preset_name(row: str) -> str:
    """The preset that is a row."""
    return "progan-" + letter(row).replace("*", "-star")


LADDERS = {
    "progan": Ladder(
        title="What each idea of ProGAN adds",
        source="ProGAN paper, Table 1 (SWD times 1000, averaged over levels; scores from memory)",
        rungs=tuple(
            Rung(row=row, preset=preset_name(row), published=dict(zip(SCORES, scores, strict=True)))
            for row, scores in ROWS.items()
        ),
    )
}
