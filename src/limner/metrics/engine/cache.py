"""Statistics of data sets on disk, so that a reference is looked at once.

A file is named after everything that decides its content: what the pictures are (the data set's fingerprint, the choice
among them, mirroring), the network's weights and resize filter, the statistic with its settings and its version. So a
file is never stale, and what a data set is called does not matter. Files are safetensors, appear whole, and carry a
checksum; a damaged one is made again, with a warning. Processes may share a folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from limner.metrics.base import State, Statistic
from limner.metrics.engine.collecting import Team, collect, num_steps
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import PictureSource
from limner.runtime import atomic_file

FORMAT = 1
"""Number of the form of the files."""


def default_folder() -> Path:
    """Return where statistics are kept: `limner/metrics` in the user's cache folder (`XDG_CACHE_HOME`, `~/.cache`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "limner" / "metrics"


def entry_name(statistic: Statistic, source: PictureSource, networks: Networks) -> str | None:
    """Return the file name of a statistic of a source; None when it is not to be kept."""
    identity = source.identity(statistic.count) if statistic.is_stored else None
    if identity is None:
        return None
    about = {
        "format": FORMAT,
        "pictures": identity,
        "statistic": [type(statistic).__name__, statistic.version, dataclasses.asdict(statistic)],
        "network": networks.stamp(statistic.network) if statistic.network else None,
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return f"{type(statistic).__name__.lower()}-{digest[:32]}.safetensors"


def collect_kept(
    source: PictureSource, statistics: Sequence[Statistic], networks: Networks, team: Team, folder: Path | None
) -> dict[Statistic, State]:
    """Return what `collect` does, from `folder` as far as it is there, and keep there what was not.

    The first process reads and writes; the others get from it what it read, so that all agree on what is to be done.

    Args:
        source: the set.
        statistics: what to know of it.
        networks: for statistics of features.
        team: as for `collect`.
        folder: where statistics are kept; None: nowhere.
    """
    paths = {}
    for statistic in dict.fromkeys(statistics):
        name = entry_name(statistic, source, networks) if folder else None
        if folder and name:
            paths[statistic] = folder / name
    kept = {s: team.gather(read(path) if team.rank == 0 else {})[0] for s, path in paths.items()}
    states = {statistic: state for statistic, state in kept.items() if state}
    missing = [statistic for statistic in statistics if statistic not in states]
    team.advance((num_steps(statistics) - num_steps(missing)) // team.world)
    collected = collect(source, missing, networks, team)
    for statistic, state in collected.items():
        if team.rank == 0 and statistic in paths:
            write(paths[statistic], state)
    return states | collected


def read(path: Path) -> State:
    """Return a stored state; an empty one when there is none, or when the file is damaged, which is warned of."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            checksum = (file.metadata() or {}).get("checksum")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        return _damaged(path, str(error))
    if _checksum(state) != checksum:
        return _damaged(path, "its checksum is another")
    return state


def write(path: Path, state: State) -> None:
    """Keep a state. A folder that cannot be written costs time, not the result, and is warned of."""
    contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
    encoded = safetensors.torch.save(contiguous, {"checksum": _checksum(contiguous)})
    try:
        with atomic_file(path) as file:
            file.write(encoded)
    except OSError as error:
        warnings.warn(
            f"statistics cannot be kept in '{path.parent}': {error.strerror}; --cache names another folder",
            stacklevel=2,
        )


def _checksum(state: State) -> str:
    total = 0
    for name in sorted(state):
        total = zlib.crc32(state[name].contiguous().numpy().data, zlib.crc32(name.encode(), total))
    return f"{total:08x}"


def _damaged(path: Path, reason: str) -> State:
    warnings.warn(f"statistics in '{path}' are damaged ({reason}); they are made again", stacklevel=3)
    return {}
