"""Checkpoints of other programs as snapshots of limner, and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from limner.checkpoints import official
from limner.checkpoints.io import write_snapshot
from limner.errors import ConfigError, closest
from limner.runtime import expand

Target = Literal["limner", "nvidia", "rosinality"]
ENDINGS = {"nvidia": ".pkl", "rosinality": ".pt"}
"""Program -> ending of its files."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was written."""

    path: Path
    """The snapshot folder, or the file."""
    what: str
    """What the source was, in words."""
    notes: tuple[str, ...] = ()
    """Sentences on what was left out or filled in."""
    licence: str = ""
    """Licence of the weights, as far as it is known."""


def convert(source: str | Path, dest: str | Path, *, to: Target = "limner") -> Converted:
    """Convert a checkpoint of another program to a snapshot, or a snapshot to a file of another program.

    Nothing that a file carries is run. The source, its sha256, and its licence are kept in the snapshot's config.json.

    Args:
        source: for `limner`, a file of NVIDIA (.pkl), rosinality (.pt) or genforce (.pth); for the others a run folder
            (its newest snapshot), a snapshot folder or a .safetensors file in one.
        dest: a folder that is not there yet or is empty; a file ending in .pkl for `nvidia`, in .pt for `rosinality`.
        to: whose format to write. `nvidia` is what stylegan2-ada-pytorch and stylegan3 load with `--network`.

    Raises:
        CheckpointError: the source is damaged, dangerous, of an unknown program, or has no place in the other's format.
        ConfigError: a destination that is there already or ends wrongly, or an unknown program.
    """
    path = expand(dest)
    if to == "limner":
        return _from_other(source, path)
    if to not in ENDINGS:
        known = ("limner", *ENDINGS)
        raise ConfigError(f"to: got '{to}', expected {', '.join(known)}.{closest(to, known)}")
    if path.suffix != ENDINGS[to]:
        raise ConfigError(f"got '{path.name}' to write, expected a name ending in {ENDINGS[to]} for {to}; rename it")
    if path.exists():
        raise ConfigError(f"'{path}' is there already, and nothing is overwritten; choose another name")
    official.export(source, path, to)
    return Converted(path=path, what="snapshot of limner")


def _from_other(source: str | Path, folder: Path) -> Converted:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"'{folder}' is there already, and nothing is overwritten; choose another folder")
    converted = official.convert(source)
    write_snapshot(folder, converted.config, converted.networks, converted.record)
    return Converted(
        path=folder, what=str(converted.kind), notes=converted.notes, licence=str(converted.record["licence"])
    )
