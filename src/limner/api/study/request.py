"""What a study is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from limner.config import check_limits
from limner.errors import ConfigError, closest

PARTS = ("reconstruct", "compare", "sweep", "outside", "attribute", "semantics", "separability")
"""What a study consists of, in the order it is done."""


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """The networks, the pictures and the budget of a comparison of ways to invert."""

    checkpoint: str | Path
    """Generator; with its discriminator beside it, pictures are judged by that, too."""
    data: str | Path
    """Pictures it was not trained on; with labels, codes are asked for their attributes."""
    out: str | Path
    """Folder of the study."""
    encoder: str | Path
    """Run that trained the domain-guided encoder."""
    conventional: str | Path
    """Run that trained the conventional encoder, on the same budget."""
    judge: str | Path | None = None
    """Run of a third encoder, which no method uses: it says whether a picture's code is found again."""
    classifier: str | Path | None = None
    """Run that trained a classifier of the attributes; None: nothing is asked about semantics."""
    train_data: str | Path | None = None
    """Pictures the generator was trained on, to tell missing coverage from failing methods."""
    outside: str | Path | None = None
    """Pictures from outside the domain; None: those of `data`, turned over, as negatives, and with halves exchanged."""
    num: int = 128
    """Pictures of the main comparison."""
    subset: int = 32
    """Pictures of the sweep, of slow methods and of pictures from outside: the first of them."""
    steps: int = 100
    """Updates of every optimisation."""
    long_steps: int = 500
    """Updates of the long free optimisation."""
    perceptual: str = "auto"
    """Network in the losses; see `InvertRequest`."""
    batch: int = 8
    """Pictures at a time."""
    num_samples: int = 5000
    """Codes sampled for boundaries and separability."""
    parts: tuple[str, ...] = PARTS
    """What to compute now; what was computed before stays on the page."""
    seed: int = 0
    """Of resampling and of random starts."""

    def __post_init__(self) -> None:
        check_limits(self, "study", num=">= 2", subset=">= 2", steps=">= 1", long_steps=">= 1", batch=">= 1")
        check_limits(self, "study", num_samples=">= 100", seed=">= 0")
        for part in self.parts:
            if part not in PARTS:
                raise ConfigError(f"parts: got '{part}', expected some of {', '.join(PARTS)}.{closest(part, PARTS)}")
