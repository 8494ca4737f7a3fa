"""StyleGAN: a style-based generator architecture for generative adversarial networks (Karras et al., 2019)."""

from limner.papers.base import Paper
from limner.papers.stylegan.convert import convert_official
from limner.papers.stylegan.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.stylegan.generator import Generator, GeneratorConfig
from limner.papers.stylegan.ladders import LADDERS
from limner.papers.stylegan.objective import Objective, ObjectiveConfig
from limner.papers.stylegan.presets import PRESETS

PAPER = Paper(
    title="A Style-Based Generator Architecture for Generative Adversarial Networks",
    authors="Tero Karras, Samuli Laine, Timo Aila",
    year=2019,
    arxiv="1812.04948",
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
