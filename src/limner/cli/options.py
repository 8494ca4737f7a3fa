"""Options that several verbs take, with the names NVIDIA's tools gave them."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from limner.config import Resolution
from limner.errors import ConfigError

Checkpoint = Annotated[
    str,
    Parameter(
        name="--network",
        help="run folder (its newest snapshot), snapshot folder, .safetensors file in one, file of another program "
        "(.pkl, .pt, .pth, .model), or name listed by 'limner zoo'",
    ),
]
Truncation = Annotated[
    float,
    Parameter(name=["--trunc", "--truncation-psi"], help="truncation psi: 1 full variety, 0 the average picture"),
]
Cutoff = Annotated[
    int | None, Parameter(name=["--cutoff", "--truncation-cutoff"], help="truncate only this many first layers")
]
Noise = Annotated[
    Literal["const", "random", "none"],
    Parameter(name=["--noise", "--noise-mode"], help="noise maps: those stored, drawn from the seed, or none"),
]
ClassLabel = Annotated[
    str | None,
    Parameter(name="--class", help="number of a class, or label vector 0,1,0.5; for conditional networks"),
]
Device = Annotated[str, Parameter(help="auto, cpu, cuda, cuda:N or mps")]
Quiet = Annotated[
    bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False, help="print nothing but errors")
]


def parse_resolution(text: str | None) -> Resolution | None:
    """Read `64` or `64x48` (height x width) as (height, width); None stays None.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise ConfigError(f"resolution: got '{text}', expected a side such as 64, or height x width such as 64x48")
    return int(sides[0]), int(sides[-1])


def parse_settings(flag: str, texts: tuple[str, ...]) -> dict[str, str]:
    """Read the `path=value` texts of a flag.

    Raises:
        ConfigError: one has no `=`.
    """
    settings = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{flag}: got '{text}', expected path=value such as objective.r1_gamma=20")
        settings[path.strip()] = value.strip()
    return settings
