"""`limner push`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from limner.cli.options import Checkpoint, Quiet


def push(
    checkpoint: Checkpoint,
    repository: str,
    *,
    private: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    quiet: Quiet = False,
) -> None:
    """Upload a snapshot to the Hugging Face hub, with a card that says what it is.

    Its config.json names the folder of the training pictures. Log in once with 'hf auth login'.

    For example:

        limner push runs/faces user/faces --private

    Args:
        repository: user/name; made when there is none
        private: make the repository for its owner alone
    """
    from limner import api

    address = api.push(checkpoint, repository, private=private)
    if not quiet:
        print(f"{checkpoint} -> {address}")
