"""`limner zoo`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

WIDTH = 400
"""Width of the table where there is no terminal, characters."""


def zoo(words: str = "", *, fetch: Annotated[str | None, Parameter(name="--fetch")] = None) -> None:
    """List the model in the package and published checkpoints, which every verb takes by name, or download one.

    A published file is downloaded when it is first used, and kept; each has its publisher's licence.

    For example:

        limner zoo
        limner zoo "ffhq stylegan2"
        limner zoo --fetch ffhq-1024
        limner generate ffhq-1024 --seeds 85 --trunc 0.7
        limner generate avatars --seeds 0-15 --grid

    Args:
        words: list those with all of these words
        fetch: name of one to download and convert now
    """
    from limner import api

    if fetch is not None:
        print(f"{fetch} -> {api.fetch(fetch)}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "room", "pixels", "what it shows", "licence", "address"):
        table.add_column(heading, no_wrap=heading in ("name", "room", "pixels"), overflow="fold")
    for name, model in api.embedded_models(words).items():
        table.add_row(name, model.room, str(model.resolution[0]), model.what, model.licence, "here: in the package")
    for entry in api.published(words):
        state = "here: " if api.is_fetched(entry) else "by hand: " if entry.is_by_hand else ""
        height = str(entry.resolution[0])
        table.add_row(entry.name, entry.room, height, entry.what, entry.licence, f"{state}{entry.url}")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
