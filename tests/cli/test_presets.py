"""`limner presets`."""

from __future__ import annotations

import limner
from cli.conftest import Command


def test_every_preset_is_listed_with_its_source_and_score(command: Command) -> None:
    answer = command("presets")
    assert answer.code == 0
    for preset in limner.presets().values():
        (line,) = [line for line in answer.out.splitlines() if line.startswith(f"{preset.name} ")]
        assert str(preset.native_resolution[0]) in line
        assert preset.source.split()[0] in line
    assert "FID 2.84" in answer.out
