"""Training states: everything resuming needs, the last two kept, each verified before it is trusted.

    state/00000007.pt  state/00000008.pt  state/index.json

A state is a tree of plain values and tensors; the file loads under `weights_only=True`, so reading it cannot execute
code. Files are replaced in one step and index.json records their checksums: a killed or failed write never harms the
state before it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

from limner import __version__
from limner.errors import CheckpointError
from limner.runtime import atomic_file

FORMAT = 1
"""Number of the format of index.json and of the files it lists."""
KEEP = 2
"""States kept."""
INDEX_NAME = "index.json"


def save_state(run_dir: Path, tree: Mapping[str, Any]) -> Path:
    """Write a training state and drop all but the last two.

    Args:
        run_dir: folder of the run; the state goes to its folder `state`.
        tree: nested dicts, lists and tuples of tensors, str, int, float, bool and None.

    Returns:
        The file written.

    Raises:
        CheckpointError: the state cannot be written; the previous state is untouched.
        TypeError: the tree holds something else; the message names its place.
    """
    folder = run_dir / "state"
    entries = _read_index(folder) if (folder / INDEX_NAME).exists() else []
    number = max((int(Path(entry["file"]).stem) for entry in entries), default=0) + 1
    path = folder / f"{number:08d}.pt"
    plain = _plain(tree, "")
    try:
        with atomic_file(path, sync=True) as file:
            writer = _HashingWriter(file)
            try:
                torch.save(plain, cast(BinaryIO, writer))
            except RuntimeError:
                if writer.error is None:
                    raise
                raise writer.error from None
        entries = [*entries, {"file": path.name, "sha256": writer.digest.hexdigest()}][-KEEP:]
        index = {"limner": __version__, "format": FORMAT, "kind": "state", "files": entries}
        with atomic_file(folder / INDEX_NAME, sync=True) as file:
            file.write(json.dumps(index, indent=2).encode() + b"\n")
    except OSError as error:
        raise CheckpointError(
            f"cannot save the training state in '{folder}': {error.strerror or error}; the previous state is kept: "
            "free space on that disk and run the same command again"
        ) from None
    kept = {entry["file"] for entry in entries}
    for old in [*folder.glob("*.pt"), *folder.glob(".*.tmp")]:  # the latter are left by killed processes
        if old.name not in kept:
            old.unlink()
    return path


def load_latest_state(run_dir: Path) -> dict[str, Any] | None:
    """Return the newest undamaged training state of a run, its tensors on the CPU; None when none was ever saved.

    Warns:
        UserWarning: the newest state is damaged and the one before it is used.

    Raises:
        CheckpointError: every state is damaged, or the index is.
    """
    folder = run_dir / "state"
    if not (folder / INDEX_NAME).exists():
        return None
    damage = []
    for entry in reversed(_read_index(folder)):
        path = folder / entry["file"]
        try:
            tree = _read_state(path, entry["sha256"])
        except _DamagedError as error:
            damage.append(f"{path.name} {error}")
            continue
        if damage:
            warnings.warn(
                f"training state in '{folder}': {'; '.join(damage)}: resuming from the state before it, {path.name}",
                stacklevel=2,
            )
        return tree
    raise CheckpointError(
        f"no training state in '{folder}' can be used ({'; '.join(damage)}); restore one from a copy, "
        "or start a new run from the last snapshot"
    )


class _DamagedError(Exception):
    """A state file is missing or is not what was written."""


class _HashingWriter:
    """A file that computes the checksum of what passes, and remembers the error torch.save hides."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            self.file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        self.file.flush()


def _read_index(folder: Path) -> list[dict[str, str]]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"'{path}' cannot be read ({error}); restore it from a copy, or start a new run from the last snapshot"
        ) from None
    if not isinstance(index, dict) or index.get("kind") != "state" or index.get("format") != FORMAT:
        raise CheckpointError(
            f"'{path}' is not a list of training states of format {FORMAT}; "
            f"this is limner {__version__}: resume with the version that wrote it"
        )
    return index["files"]


def _read_state(path: Path, sha256: str) -> dict[str, Any]:
    """Return the tree in `path`, or raise `_DamagedError`."""
    if not path.is_file():
        raise _DamagedError("is missing")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise _DamagedError("is damaged (its checksum is wrong)")
        file.seek(0)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError) as error:
            raise _DamagedError(f"cannot be read ({str(error).splitlines()[0]})") from None


def _plain(value: Any, place: str) -> Any:
    """Return `value` as plain containers of detached tensors, each owning just its memory."""
    if isinstance(value, Tensor):
        tensor = value.detach()
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        return tensor if whole else tensor.clone()
    if isinstance(value, Mapping):
        return {
            _plain(key, place): _plain(item, f"{place}.{key}" if place else str(key)) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if value is None or type(value) in (str, int, float, bool):
        return value
    raise TypeError(f"training state: '{place}' is {type(value).__name__}, expected a tensor or a plain value")
