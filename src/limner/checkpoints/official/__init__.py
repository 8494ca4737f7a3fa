"""Checkpoints of other programs: recognised, read without running anything they carry, converted by their paper's room.

`identify` says what a file is; `convert` gives a configuration and networks of ours; `export` writes ours as a file of
another program. Reading is `reader`, what may be in a file `constructors`, the machine `machine`; who names tensors how
`layouts`; the meaning of tensors is the rooms'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from limner import registry
from limner.checkpoints.io import ENCODER, find_snapshot, load_config, network_names, read_networks
from limner.checkpoints.networks import finished_generator, load_generator
from limner.checkpoints.official.foreign import ForeignFile
from limner.checkpoints.official.layouts import recognise
from limner.checkpoints.official.reader import read
from limner.checkpoints.official.writing import write_nvidia, write_rosinality
from limner.config import RunConfig
from limner.errors import CheckpointError
from limner.runtime import expand

PROGRAMS = {
    "nvidia-pytorch": "NVIDIA, PyTorch",
    "nvidia-tensorflow": "NVIDIA, TensorFlow",
    "rosinality": "rosinality",
    "genforce": "genforce",
    "idinvert": "in-domain inversion (genforce)",
}
"""Layout -> who writes it."""
LICENCES = {
    "stylegan2": "NVIDIA Source Code License (non-commercial)",
    "stylegan": "CC BY-NC 4.0 (non-commercial)",
    "progan": "CC BY-NC 4.0 (non-commercial)",
}
"""Room -> licence under which NVIDIA published its networks of this kind."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a file of another program is."""

    layout: str
    """`nvidia-pytorch`, `nvidia-tensorflow`, `rosinality`, `genforce` or `idinvert`."""
    room: str
    """Paper whose networks are in it: a folder of `limner/papers`."""
    networks: tuple[str, ...]
    """Names of the networks in the file."""

    def __str__(self) -> str:
        return f"{self.room} of {PROGRAMS[self.layout]} ({', '.join(self.networks)})"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A file of another program as networks of ours."""

    kind: Kind
    """What the file is."""
    config: RunConfig
    networks: Mapping[str, nn.Module]
    """`generator_ema`, and `generator`, `discriminator`, `encoder` where the file has them; in evaluation mode."""
    notes: tuple[str, ...]
    """Sentences on what was left out or filled in."""
    record: Mapping[str, Any]
    """Where the networks come from, for config.json: `source`, `licence`, `notes`, and `lod` of growing ones."""


def identify(path: str | Path) -> Kind:
    """Say what a file of another program is, without copying its weights.

    Raises:
        CheckpointError: it is damaged, dangerous, or of a program whose networks limner does not hold.
    """
    return _kind(_open(path))


def convert(path: str | Path, generator: str | Path | None = None) -> Conversion:
    """Convert a file of another program.

    Args:
        path: the file.
        generator: for a file that holds an encoder alone: checkpoint of the generator it serves; see `find_snapshot`.

    Raises:
        CheckpointError: see `identify`; or its networks are not what the room of their paper can build, or a generator
            is missing or named for nothing.
    """
    file = _open(path)
    if ENCODER in file.networks and file.room == "idinvert":
        return _encoder(file, generator)
    if generator is not None:
        raise CheckpointError(
            f"'{file.path}' holds {', '.join(file.networks)}, which need no generator beside them, got '{generator}'; "
            "leave it out"
        )
    room = registry.get("papers", file.room) if file.room in registry.names("papers") else None
    converter = getattr(room, "convert_official", None)
    if converter is None:
        raise CheckpointError(
            f"'{file.path}' holds networks of {file.room} by {PROGRAMS[file.layout]}, which this limner does not "
            "convert yet; use a newer one"
        )
    config, networks, notes = converter(file)
    record = {"source": _source(file), "licence": _licence(file), "notes": notes}
    if lod := getattr(networks["generator_ema"], "lod", 0.0):
        record["lod"] = lod
    return Conversion(kind=_kind(file), config=config, networks=networks, notes=tuple(notes), record=record)


def _encoder(file: ForeignFile, generator: str | Path | None) -> Conversion:
    """Convert an encoder, which lies beside its generator in a snapshot."""
    if generator is None:
        raise CheckpointError(
            f"'{file.path}' holds an encoder alone, which serves one generator, expected that beside it; name its "
            "checkpoint: limner convert ENCODER DEST --generator GENERATOR"
        )
    config, E = registry.get("papers", file.room).convert_encoder(file, finished_generator(generator))
    networks = {ENCODER: E, "generator_ema": load_generator(generator)}
    record = {"source": _source(file), "licence": _licence(file), "notes": []}
    return Conversion(kind=_kind(file), config=config, networks=networks, notes=(), record=record)


def export(snapshot: str | Path, path: str | Path, to: str) -> None:
    """Write a snapshot of ours as a file of another program.

    Args:
        snapshot: a run folder (its newest snapshot), a snapshot folder or a .safetensors file in one.
        path: file to make.
        to: `nvidia` (.pkl) or `rosinality` (.pt).

    Raises:
        CheckpointError: no snapshot, a file that cannot be written, or networks the other program does not have.
    """
    folder = find_snapshot(snapshot)
    config = load_config(folder)
    exporter = getattr(registry.get("papers", config.room), "export_official", None)
    if exporter is None:
        raise CheckpointError(
            f"'{folder}' holds networks of {config.room}, which are not written for other programs yet"
        )
    try:
        content = exporter(to, config, read_networks(folder, network_names(folder)))
    except CheckpointError as error:
        raise CheckpointError(f"'{folder}' cannot be written for {to}: {error}") from None
    (write_nvidia if to == "nvidia" else write_rosinality)(expand(path), content)


def checksum(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read '{path}': {error.strerror or error}; check the path") from None


def _open(path: str | Path) -> ForeignFile:
    place = expand(path)
    value, quota = read(place)
    return recognise(str(place), value, quota)


def _kind(file: ForeignFile) -> Kind:
    return Kind(layout=file.layout, room=file.room, networks=tuple(file.networks))


def _source(file: ForeignFile) -> dict[str, Any]:
    return {
        "file": Path(file.path).name,
        "sha256": checksum(Path(file.path)),
        "program": PROGRAMS[file.layout],
        "layout": file.layout,
    }


def _licence(file: ForeignFile) -> str:
    if file.layout.startswith("nvidia"):
        return f"{LICENCES.get(file.room, 'that of its publisher')}, if NVIDIA published it; else that of its publisher"
    return "that of its publisher; weights converted from NVIDIA's keep NVIDIA's (non-commercial)"
