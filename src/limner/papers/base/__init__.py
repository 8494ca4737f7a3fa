"""What every paper's room provides: the contracts that training, latents, checkpoints and the verbs rely on.

A room is a package `limner/papers/<room>` that exports `GeneratorConfig`, `DiscriminatorConfig`, `ObjectiveConfig`,
`Generator`, `Discriminator`, `Objective`, `PRESETS`, `LADDERS` and `PAPER`. A room that inverts generators of others
exports `EncoderConfig` and `Encoder` instead of the networks above, a room of classifiers `ClassifierConfig` and
`Classifier`. Rooms never import one another.
"""

from limner.papers.base.classifier import Classifier
from limner.papers.base.generator import NOISE_MODES, CodeSpace, Generator, NoiseMode, seed_to_noises, seed_to_z
from limner.papers.base.judges import Discriminator, Encoder
from limner.papers.base.objective import Batch, Draws, Objective, ObjectiveContext, Phase, identity
from limner.papers.base.presets import FinishedGenerator, Ladder, Paper, Preset, PresetRequest, Rung
from limner.papers.base.room import Room
from limner.papers.base.style_based import StyleBasedGenerator

__all__ = [
    "NOISE_MODES",
    "Batch",
    "Classifier",
    "CodeSpace",
    "Discriminator",
    "Draws",
    "Encoder",
    "FinishedGenerator",
    "Generator",
    "Ladder",
    "NoiseMode",
    "Objective",
    "ObjectiveContext",
    "Paper",
    "Phase",
    "Preset",
    "PresetRequest",
    "Room",
    "Rung",
    "StyleBasedGenerator",
    "identity",
    "seed_to_noises",
    "seed_to_z",
]
