"""`limner presets`."""

from __future__ import annotations

import sys

WIDTH = 150
"""Width of the table where there is no terminal, characters."""


def presets() -> None:
    """List the presets: published configurations with their sources and scores.

    Every preset takes any resolution a network can be built for; it is published at the one listed.

    For example:

        limner presets
        limner train --data faces.zip --preset stylegan2-config-f --resolution 64 --dry-run
    """
    from rich.console import Console
    from rich.table import Table

    from limner import api

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("preset", "pixels", "what it is", "source", "published"):
        table.add_column(heading, no_wrap=heading in ("preset", "pixels"))
    for name, preset in api.presets().items():
        height, width = preset.native_resolution
        pixels = str(height) if height == width else f"{height}x{width}"
        table.add_row(name, pixels, preset.summary, preset.source, preset.published)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
