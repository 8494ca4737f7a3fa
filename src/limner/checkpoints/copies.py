"""Copies of snapshots to use elsewhere: as they are, or in half precision and without what only training needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from limner.checkpoints.io import (
    CLASSIFIER,
    ENCODER,
    GENERATORS,
    METRICS_NAME,
    find_snapshot,
    load_config,
    network_names,
    read_document,
    read_networks,
    write_snapshot,
)
from limner.config import RunConfig

USED = (GENERATORS[0], ENCODER, CLASSIFIER)
"""Networks that a copy in half precision keeps."""


def copy_snapshot(snapshot: str | Path, folder: Path, *, half: bool) -> str:
    """Copy a snapshot to a new folder, and return the fingerprint of its generator or classifier there.

    What was measured of the snapshot is copied too. Of the places of pictures and of the generator on this machine,
    config.json of the copy keeps the last name alone.

    Args:
        snapshot: see `find_snapshot`.
        folder: the copy.
        half: see `write_used`.

    Raises:
        CheckpointError: no snapshot, a damaged one, a value too large for half precision, or a failed write.
    """
    place = find_snapshot(snapshot)
    document = read_document(place)
    kept = {key: value for key, value in document.items() if key not in ("limner", "format", "kind", "config")}
    identity = write_copy(folder, load_config(place), read_networks(place, network_names(place)), kept, half=half)
    if (place / METRICS_NAME).is_file():
        shutil.copy(place / METRICS_NAME, folder)
    return identity


def write_copy(
    folder: Path,
    config: RunConfig,
    networks: Mapping[str, nn.Module | dict[str, Tensor]],
    extra: Mapping[str, Any],
    *,
    half: bool,
) -> str:
    """Write networks as a snapshot; see `write_snapshot`, and `copy_snapshot` for the places.

    Args:
        folder: the snapshot.
        config: what the networks were built from.
        networks: name -> network or its tensors.
        extra: more entries of config.json.
        half: write `USED` alone, as float16. The values are rounded, so that the fingerprint is another than before.

    Raises:
        CheckpointError: a value too large for half precision, or it cannot be written.
    """
    if half:
        networks = {name: networks[name] for name in USED if name in networks}
    extra = {key: value for key, value in extra.items() if key != "fingerprint"}
    data = replace(config.data, path=Path(config.data.path).name)
    source = config.generator_from and replace(config.generator_from, path=Path(config.generator_from.path).name)
    config = replace(config, data=data, generator_from=source)
    return write_snapshot(folder, config, networks, extra, half=half)
