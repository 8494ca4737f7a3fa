"""Classifiers of attributes, as the StyleGAN paper measures linear separability with (Karras et al., 2019).

The room has neither a generator nor an encoder: its networks say what pictures show.
"""

from limner.papers.base import Ladder, Paper
from limner.papers.classifier.network import Classifier, ClassifierConfig
from limner.papers.classifier.objective import Objective, ObjectiveConfig
from limner.papers.classifier.presets import PRESETS

LADDERS: dict[str, Ladder] = {}
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
    "Classifier",
    "ClassifierConfig",
    "Objective",
    "ObjectiveConfig",
]
