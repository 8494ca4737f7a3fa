"""limner: train, use, measure and edit style-based GANs on any device.

Four names are promised here: `load`, `Generator`, `presets` and `__version__`. The first three are fetched when they
are first used, so importing the package imports neither torch nor any network.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.api import load, presets
    from limner.papers.base import Generator

__all__ = ["Generator", "__version__", "load", "presets"]

try:
    __version__ = version("limner")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOMES = {"load": "limner.api", "presets": "limner.api", "Generator": "limner.papers.base"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'limner' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
