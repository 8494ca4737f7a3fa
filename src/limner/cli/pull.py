"""`limner pull`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.options import Quiet


def pull(
    repository: str,
    dest: Annotated[str, Parameter(name=["--dest", "--out"])],
    *,
    revision: str | None = None,
    quiet: Quiet = False,
) -> None:
    """Download a snapshot from the Hugging Face hub; only JSON, text and safetensors are taken.

    For example:

        limner pull user/faces checkpoints/faces

    Args:
        repository: user/name
        dest: folder to make
        revision: branch, tag or commit; left out: the main branch
    """
    from limner import api

    path = api.pull(repository, dest, revision=revision)
    if not quiet:
        print(f"{repository} -> {path}")
