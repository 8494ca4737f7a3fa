"""The tables of the StyleGAN2 paper as ladders of presets, with their published scores.

Source: StyleGAN2 paper, Table 1 (rungs A to F) and Table 2 (architectures of G and D in rung E). The FID of rung F on
FFHQ stands on the official page too; the other scores are quoted from memory of the paper.
"""

from __future__ import annotations

from limner.papers.base import Ladder, Rung
from limner.papers.stylegan2.generator import Architecture

SCORES = ("FID, FFHQ", "PPL, FFHQ", "FID, LSUN Car", "PPL, LSUN Car")
"""What the tables measure; lower is better."""

CONFIG_SCORES: dict[str, tuple[float, ...]] = {
    "A: baseline StyleGAN": (4.40, 212.1, 3.27, 1484.5),
    "B: + weight demodulation": (4.39, 175.4, 3.04, 862.4),
    "C: + lazy regularization": (4.38, 158.0, 2.83, 981.6),
    "D: + path length regularization": (4.34, 122.5, 3.43, 651.2),
    "E: + no growing, new G and D architectures": (3.31, 124.5, 3.19, 471.2),
    "F: + large networks": (2.84, 145.0, 2.32, 415.5),
}
"""Table 1: row -> `SCORES`."""

ARCHITECTURE_SCORES: dict[tuple[Architecture, Architecture], tuple[float, ...]] = {
    ("orig", "orig"): (4.32, 265, 3.75, 905),
    ("orig", "skip"): (4.18, 235, 3.23, 758),
    ("orig", "resnet"): (3.58, 269, 3.25, 802),
    ("skip", "orig"): (4.33, 169, 3.77, 544),
    ("skip", "skip"): (3.77, 127, 3.86, 316),
    ("skip", "resnet"): (3.31, 125, 3.19, 471),
    ("resnet", "orig"): (4.35, 203, 3.93, 981),
    ("resnet", "skip"): (3.96, 229, 3.40, 667),
    ("resnet", "resnet"): (3.79, 243, 2.66, 645),
}
"""Table 2: architectures of G and D -> `SCORES`."""


def _rung(row: str, preset: str, scores: tuple[float, ...]) -> Rung:
    return Rung(row=row, preset=preset, published=dict(zip(SCORES, scores, strict=True)))


LADDERS = {
    "stylegan2": Ladder(
        title="From StyleGAN to StyleGAN2",
        source="StyleGAN2 paper, Table 1 (scores from memory, but for F's FID on FFHQ)",
        rungs=tuple(_rung(row, f"stylegan2-config-{row[0].lower()}", scores) for row, scores in CONFIG_SCORES.items()),
    ),
    "stylegan2-architectures": Ladder(
        title="Architectures of StyleGAN2's generator and discriminator, without growing",
        source="StyleGAN2 paper, Table 2 (scores from memory)",
        rungs=tuple(
            _rung(f"G {g}, D {d}", f"stylegan2-config-e-g{g}-d{d}", scores)
            for (g, d), scores in ARCHITECTURE_SCORES.items()
        ),
    ),
}
