"""Every preset, resolved at the resolution it was published at and at 32 pixels, is what its stored file says.

A number of a paper cannot change by accident: a change here is a change of what a preset means. To store new or changed
presets on purpose, look at the difference that

    LIMNER_REGENERATE=1 python -m pytest tests/papers/test_frozen_presets.py

leaves in tests/golden/presets, and commit it with the reason.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from limner import registry
from limner.config import flatten, to_dict
from limner.papers.base import Preset, PresetRequest

FOLDER = Path(__file__).parents[1] / "golden" / "presets"
PRESETS = {
    name: preset for room in registry.names("papers") for name, preset in registry.get("papers", room).PRESETS.items()
}


def resolved(preset: Preset) -> dict[str, Any]:
    """Everything a preset fixes, as plain values."""
    return {
        "source": preset.source,
        "published": preset.published,
        "native": to_dict(preset.build(PresetRequest())),
        "at_32": to_dict(preset.build(PresetRequest(resolution=(32, 32)))),
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_it_was(name: str) -> None:
    path = FOLDER / f"{name}.json"
    now = resolved(PRESETS[name])
    if os.environ.get("LIMNER_REGENERATE"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    assert path.exists(), f"{path.name} is missing; see the first lines of this file"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert dict(flatten(now)) == dict(flatten(stored))


def test_no_stored_preset_has_vanished() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(PRESETS)
