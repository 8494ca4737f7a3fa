"""The presets of all rooms."""

from __future__ import annotations

import pytest

import limner
from limner import registry
from limner.api import find_preset
from limner.errors import ConfigError


def test_the_presets_of_every_room_are_listed_once() -> None:
    counts = [len(registry.get("papers", room).PRESETS) for room in registry.names("papers")]
    assert len(limner.presets()) == sum(counts) > 0
    assert all(name == preset.name for name, preset in limner.presets().items())


def test_an_unknown_preset_is_told_the_closest_and_all() -> None:
    with pytest.raises(ConfigError, match=r"'stylegan2-config-g'. Did you mean 'stylegan2-config-[ef]'\?.*-tiny"):
        find_preset("stylegan2-config-g")
