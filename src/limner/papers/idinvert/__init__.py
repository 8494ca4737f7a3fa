"""IDInvert: in-domain GAN inversion for real image editing (Zhu et al., 2020).

The room has an encoder and no generator: it inverts those of other rooms.
"""

from limner.papers.base import Ladder, Paper
from limner.papers.idinvert.convert import convert_encoder
from limner.papers.idinvert.encoder import Encoder, EncoderConfig
from limner.papers.idinvert.objective import Objective, ObjectiveConfig
from limner.papers.idinvert.presets import PRESETS

LADDERS: dict[str, Ladder] = {}
PAPER = Paper(
    title="In-Domain GAN Inversion for Real Image Editing",
    authors="Jiapeng Zhu, Yujun Shen, Deli Zhao, Bolei Zhou",
    year=2020,
    arxiv="2004.00049",
)

__all__ = [
    "LADDERS",
    "PAPER",
    "PRESETS",
    "Encoder",
    "EncoderConfig",
    "Objective",
    "ObjectiveConfig",
    "convert_encoder",
]
