"""Checkpoints of other programs as snapshots, and back; copies of snapshots; graphs for other runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from limner.api import exporting
from limner.checkpoints import official
from limner.checkpoints.copies import copy_snapshot, write_copy
from limner.errors import ConfigError, closest
from limner.runtime import expand

Target = Literal["limner", "nvidia", "rosinality", "onnx", "torch-export"]
ENDINGS = {"nvidia": ".pkl", "rosinality": ".pt"}
"""Program -> ending of its files."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was written."""

    path: Path
    """The snapshot folder, the file, or the folder of two graphs."""
    what: str
    """What the source was, in words."""
    notes: tuple[str, ...] = ()
    """Sentences on what was left out or filled in, or how exact a graph is."""
    licence: str = ""
    """Licence of the weights, as far as it is known."""


def convert(
    source: str | Path,
    dest: str | Path,
    *,
    to: Target = "limner",
    generator: str | Path | None = None,
    half: bool = False,
    batch: int | None = None,
) -> Converted:
    """Convert a file of another program to a snapshot, or a snapshot to a copy, a file of another program or a graph.

    Nothing that a file carries is run. The source, its sha256, and its licence are kept in the snapshot's config.json.

    Args:
        source: for `limner`, a file of NVIDIA (.pkl), rosinality (.pt), genforce or IDInvert (.pth); for it and the
            others a run folder (its newest snapshot), a snapshot folder, a .safetensors file in one, or anything else
            `load` takes.
        dest: a folder that is not there yet or is empty; a file ending in .pkl for `nvidia`, in .pt for `rosinality`,
            in .onnx for `onnx`, in .pt2 for `torch-export`. For the last two, a folder is given two graphs.
        to: whose format to write. `nvidia` is what stylegan2-ada-pytorch and stylegan3 load with `--network`; for
            `onnx` and `torch-export` see `api.exporting`.
        generator: for a file that holds an encoder alone (IDInvert): checkpoint of the generator it serves.
        half: of a snapshot: write only what using it takes (generator_ema, encoder, classifier), as float16. It is
            computed with in full precision as before, on rounded values: codes and directions of the original are not
            those of the copy.
        batch: of a graph: samples in a batch; None: any number.

    Raises:
        CheckpointError: the source is damaged, dangerous, of an unknown program, or has no place in the other's format.
        ConfigError: a destination that is there already or ends wrongly, an unknown program, half precision for no
            snapshot, or a batch that is no number of samples or for no graph.
        MissingExtraError: for `onnx`, the extra `export` is not installed.
    """
    path = expand(dest)
    if generator is not None and (to != "limner" or not expand(source).is_file()):
        raise ConfigError(
            f"generator: got '{generator}', but only a file that holds an encoder alone takes one; leave it out"
        )
    if half and to != "limner":
        raise ConfigError(f"half: only snapshots are written in half precision, not files for {to}; leave it out")
    if to == "onnx" or to == "torch-export":
        return _graph(source, path, to, batch)
    if batch is not None:
        raise ConfigError(f"batch: got {batch}, but only graphs have one: onnx and torch-export; leave it out")
    if to == "limner":
        return _snapshot(source, path, generator, half)
    if to not in ENDINGS:
        known = ("limner", *ENDINGS, *exporting.ENDINGS)
        raise ConfigError(f"to: got '{to}', expected {', '.join(known)}.{closest(to, known)}")
    if path.suffix != ENDINGS[to]:
        raise ConfigError(f"got '{path.name}' to write, expected a name ending in {ENDINGS[to]} for {to}; rename it")
    if path.exists():
        raise ConfigError(f"'{path}' is there already, and nothing is overwritten; choose another name")
    official.export(source, path, to)
    return Converted(path=path, what="snapshot of limner")


def _graph(source: str | Path, path: Path, to: exporting.ExportTarget, batch: int | None) -> Converted:
    exported = exporting.export(source, path, to, batch=batch)
    if exported.difference is None:
        note = "not compared with torch: onnxruntime is not installed (pip install 'limner[export]')"
    else:
        note = f"largest difference from torch {exported.difference:.1e}, in pictures of up to {exported.largest:.2f}"
    return Converted(path=path, what="generator", notes=(note,))


def _snapshot(source: str | Path, folder: Path, generator: str | Path | None, half: bool) -> Converted:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"'{folder}' is there already, and nothing is overwritten; choose another folder")
    place = expand(source)
    if place.suffix == ".safetensors" or not place.is_file():
        copy_snapshot(source, folder, half=half)
        return Converted(path=folder, what="snapshot of limner")
    converted = official.convert(place, generator)
    write_copy(folder, converted.config, converted.networks, converted.record, half=half)
    return Converted(
        path=folder, what=str(converted.kind), notes=converted.notes, licence=str(converted.record["licence"])
    )
