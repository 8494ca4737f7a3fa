"""ProGAN: progressive growing of GANs for improved quality, stability, and variation (Karras et al., 2018)."""

from limner.papers.base import Paper
from limner.papers.progan.convert import convert_official
from limner.papers.progan.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.progan.generator import Generator, GeneratorConfig
from limner.papers.progan.ladders import LADDERS
from limner.papers.progan.objective import Objective, ObjectiveConfig
from limner.papers.progan.presets import PRESETS

PAPER = Paper(
    title="Progressive Growing of GANs for Improved Quality, Stability, and Variation",
    authors="Tero Karras, Timo Aila, Samuli Laine, Jaakko Lehtinen",
    year=2018,
    arxiv="1710.10196",
)

__all__ = [
    "LADDERS",
    "PAPER",
    "PRESETS",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "Objective",
    "ObjectiveConfig",
    "convert_official",
]
