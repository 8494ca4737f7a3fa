"""The presets of all rooms."""

from __future__ import annotations

from limner import registry
from limner.errors import ConfigError, closest
from limner.papers.base import Preset


def presets() -> dict[str, Preset]:
    """Return the presets of every room by name, room after room, each room's in the order of its paper's tables."""
    return {
        name: preset
        for room in registry.names("papers")
        for name, preset in registry.get("papers", room).PRESETS.items()
    }


def find_preset(name: str) -> Preset:
    """Return the preset called `name`.

    Raises:
        ConfigError: there is none; the message gives the closest name.
    """
    known = presets()
    if name not in known:
        raise ConfigError(
            f"unknown preset '{name}'.{closest(name, known)} 'limner presets' lists them: {', '.join(known)}"
        )
    return known[name]
