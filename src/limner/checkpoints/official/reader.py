"""Opening an official file: which format it is, and the inert value in it.

Formats: plain pickles (NVIDIA's .pkl), the two formats of torch.save (.pt, .pth, .model). The file is mapped, not read:
arrays cost memory when they are asked for.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from limner.checkpoints.official import torch_legacy, torch_zip
from limner.checkpoints.official.constructors import CONSTRUCTORS
from limner.checkpoints.official.machine import Machine
from limner.checkpoints.official.quota import Quota
from limner.errors import CheckpointError


def read(path: Path) -> tuple[Any, Quota]:
    """Return the value in a file, and what is left of its quota. Nothing the file carries is run.

    Raises:
        CheckpointError: it cannot be opened, is damaged, of another format, or asks for something not listed.
    """
    if not path.is_file():  # a pipe or a device would be waited for
        raise CheckpointError(f"'{path}' is not a file, expected a checkpoint of another program; check the path")
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else memoryview(b"")
    except OSError as error:
        raise CheckpointError(f"cannot open '{path}': {error.strerror or error}; check the path") from None
    quota = Quota(str(path), size)
    head = bytes(data[:16])
    if head.startswith(torch_zip.MAGIC):
        return torch_zip.read_zip(path, data, quota, CONSTRUCTORS), quota
    if head.startswith(torch_legacy.MAGIC_PICKLE):
        return torch_legacy.read_legacy(data, quota, CONSTRUCTORS), quota
    if not head[:1] == b"\x80":
        raise CheckpointError(
            f"'{path}' is no checkpoint of another program, expected a pickle (.pkl) or a file of torch.save (.pt, "
            ".pth); check the path"
        )
    return Machine(data, quota, CONSTRUCTORS).run(), quota
