"""StyleGAN2: analysing and improving the image quality of StyleGAN (Karras et al., 2020)."""

from limner.papers.base import Paper
from limner.papers.stylegan2.convert import convert_official
from limner.papers.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.stylegan2.export import export_official
from limner.papers.stylegan2.generator import Generator, GeneratorConfig
from limner.papers.stylegan2.ladders import LADDERS
from limner.papers.stylegan2.objective import Objective, ObjectiveConfig
from limner.papers.stylegan2.presets import PRESETS

PAPER = Paper(
    title="Analyzing and Improving the Image Quality of StyleGAN",
    authors="Tero Karras, Samuli Laine, Miika Aittala, Janne Hellsten, Jaakko Lehtinen, Timo Aila",
    year=2020,
    arxiv="1912.04958",
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
    "export_official",
]
