"""The native snapshot format: a folder of safetensors files, one a network, and a config.json that is the authority.

    snapshots/000200/  generator_ema.safetensors  generator.safetensors  discriminator.safetensors  config.json

The snapshot of an encoder holds encoder.safetensors and its generator as generator_ema, so that it works by itself;
that of a classifier holds classifier.safetensors alone.
config.json says which room and configuration build the networks; tensors must fit them by name and shape. Tensors are
stored as float32 (integers as they are), contiguous, whatever layout or precision they were trained in; copies may be
stored as float16, and are float32 again once read. Nothing here can execute code: safetensors and JSON hold data alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from limner import __version__
from limner.checkpoints import embedded
from limner.config import RunConfig, run_config_from_dict, to_dict
from limner.errors import CheckpointError, ConfigError, closest
from limner.runtime import atomic_file, expand, sync_folder

FORMAT = 1
"""Number of the format written. Raise it with every change that an older limner would misread, and add a migration."""

CONFIG_NAME = "config.json"
METRICS_NAME = "metrics.json"
"""What was measured of a snapshot, if anything, lies in it under this name."""
GENERATORS = ("generator_ema", "generator")
"""Names of the networks `load_generator` can build; the first is its default."""
ENCODER = "encoder"
"""Name of the network `load_encoder` builds."""
CLASSIFIER = "classifier"
"""Name of the network `load_classifier` builds."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """How to read one older format as the next."""

    document: Callable[[dict[str, Any]], dict[str, Any]]
    """config.json of format n -> of format n + 1."""
    tensors: Callable[[str, dict[str, Tensor]], dict[str, Tensor]]
    """(network name, its tensors of format n) -> tensors of format n + 1."""


MIGRATIONS: dict[int, Migration] = {}
"""Format n -> how to read it as format n + 1."""


def save_network(folder: Path, name: str, module: nn.Module, room: str) -> Path:
    """Write the parameters and persistent buffers of `module` to folder/name.safetensors in one step.

    Args:
        folder: made when it is missing.
        name: `generator_ema`, `generator`, `discriminator`, ...
        module: network on any device, in any memory layout.
        room: paper it belongs to.

    Raises:
        CheckpointError: the file cannot be written; an older file of that name is kept.
    """
    path = folder / f"{name}.safetensors"
    with _naming(path):
        _write_tensors(path, plain_tensors(module), room)
    return path


def write_snapshot(
    folder: Path,
    config: RunConfig,
    networks: Mapping[str, nn.Module | dict[str, Tensor]],
    extra: Mapping[str, Any],
    *,
    half: bool = False,
) -> str:
    """Write a snapshot that appears whole or not at all, and return the fingerprint of its generator or classifier.

    Args:
        folder: the snapshot; one that is there already is replaced.
        config: what the networks were built from.
        networks: name -> network, or its tensors; `generator_ema` or `classifier` must be among them.
        extra: more entries of config.json, plain values (`kimg`, ...).
        half: store floating point as float16; the fingerprint is that of the rounded values.

    Raises:
        CheckpointError: a value too large for half precision, or it cannot be written; an older snapshot in its place
            is kept.
    """
    identity = ""
    temporary = folder.with_name(f".{folder.name}.tmp")
    with _naming(folder):
        shutil.rmtree(temporary, ignore_errors=True)  # left by a killed process
        try:
            for name, module in networks.items():
                tensors = plain_tensors(module)
                if half:
                    tensors = {key: _rounded(f"{name}.{key}", tensor) for key, tensor in tensors.items()}
                if name in (GENERATORS[0], CLASSIFIER):
                    identity = fingerprint(config, {key: _full(tensor) for key, tensor in tensors.items()})
                _write_tensors(temporary / f"{name}.safetensors", tensors, config.room)
                del tensors  # before the next network is copied
            _write_json(temporary / CONFIG_NAME, _document("snapshot", config, {"fingerprint": identity, **extra}))
            _move_into_place(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return identity


def write_document(folder: Path, kind: str, config: RunConfig, extra: Mapping[str, Any]) -> Path:
    """Write folder/config.json in one step: format, kind (`run` or `snapshot`), `extra`, and the configuration.

    Raises:
        CheckpointError: the file cannot be written; an older one is kept.
    """
    path = folder / CONFIG_NAME
    with _naming(path):
        _write_json(path, _document(kind, config, extra))
    return path


def read_document(folder: Path) -> dict[str, Any]:
    """Read folder/config.json and bring it to the present format.

    Raises:
        CheckpointError: it is missing, damaged, not limner's, or of a newer format.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise CheckpointError(
            f"'{folder}' has no {CONFIG_NAME}, expected one beside the weights; keep the files of a snapshot together"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"'{path}' cannot be read ({_first_line(error)}); restore it from a copy") from None
    if not isinstance(document, dict) or not {"limner", "format", "kind", "config"} <= set(document):
        raise CheckpointError(f"'{path}' is not a configuration written by limner, expected keys limner, format, kind")
    for migration in _migrations(document["format"], path, document["limner"]):
        document = migration.document(document)
    return document


def find_snapshot(path: str | Path) -> Path:
    """Return the snapshot folder meant by `path`.

    Args:
        path: a run folder (its newest snapshot is taken), a snapshot folder, or a .safetensors file in one; a file of
            another program, converted into a cache (see `official.cache`); or a name that no file or folder has: of the
            embedded model (see `embedded`) or of a published checkpoint, downloaded when it is not here (see `zoo`).

    Raises:
        CheckpointError: there is none, or it cannot be converted or downloaded.
    """
    from limner.checkpoints import zoo  # here, as they import this module
    from limner.checkpoints.official import cache

    path = embedded.resolve(path)
    wanted = "expected a run folder, a snapshot folder or a .safetensors file in one"
    if not path.exists():
        if not zoo.is_published(str(path)):
            hint = (
                f", or the name in 'limner zoo'.{closest(path.name, [*embedded.MODELS, *zoo.published()])}"
                if path.parent == Path()
                else ""
            )
            raise CheckpointError(f"'{path}' does not exist, {wanted}; check the path{hint}")
        path = zoo.fetch(str(path))
    if cache.is_foreign(path) and not _is_state(path):
        return cache.as_snapshot(path)
    if path.is_file():
        if path.suffix != ".safetensors":
            raise CheckpointError(f"'{path}' is not a snapshot, {wanted}{_what_a_file_is(path)}")
        read_document(path.parent)
        return path.parent
    snapshots = [s for s in (path / "snapshots").glob("*") if s.name.isdigit() and s.is_dir()]
    if snapshots:
        return max(snapshots, key=lambda snapshot: int(snapshot.name))
    if not (path / CONFIG_NAME).is_file():
        raise CheckpointError(f"'{path}' holds no snapshot, {wanted}; check the path")
    kind = read_document(path)["kind"]
    if kind != "snapshot":
        raise CheckpointError(
            f"'{path}' is a {kind} without a snapshot yet, {wanted}; let it train until one is written"
        )
    return path


def load_config(path: str | Path) -> RunConfig:
    """Return the configuration of a run folder, a snapshot folder or a .safetensors file in one.

    Raises:
        CheckpointError: there is none, or this limner cannot read it.
    """
    folder = expand(path)
    if not (folder / CONFIG_NAME).is_file():
        folder = find_snapshot(path)
    try:
        return run_config_from_dict(read_document(folder)["config"])
    except ConfigError as error:
        raise CheckpointError(f"'{folder / CONFIG_NAME}' does not describe a run: {error}") from None


def read_networks(path: str | Path, names: Iterable[str]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of the named networks of a snapshot, on the CPU.

    Raises:
        CheckpointError: no snapshot, no such network in it, or a damaged or foreign file.
    """
    folder = find_snapshot(path)
    room = load_config(folder).room
    return {name: read_tensors(folder, name, room) for name in names}


def network_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the networks in a snapshot folder, sorted."""
    return tuple(sorted(file.stem for file in folder.glob("*.safetensors")))


def load_tensors(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy `tensors` into `module`, strictly by name and shape.

    Args:
        module: receives every tensor, or none when one does not fit.
        tensors: name -> tensor.
        source: where they come from, for messages.

    Raises:
        CheckpointError: naming the first tensor that is missing, unknown, or of another shape.
    """
    expected = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    advice = "config.json describes another network, so use it with the weights it was written with"
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise CheckpointError(
            f"'{source}': tensor '{missing[0]}' is missing ({len(missing)} in all), "
            f"expected shape {expected[missing[0]]}; {advice}"
        )
    unknown = [name for name in tensors if name not in expected]
    if unknown:
        raise CheckpointError(
            f"'{source}': got tensor '{unknown[0]}' ({len(unknown)} in all), which the network does not have; {advice}"
        )
    wrong = [name for name in expected if list(tensors[name].shape) != expected[name]]
    if wrong:
        raise CheckpointError(
            f"'{source}': tensor '{wrong[0]}' has shape {list(tensors[wrong[0]].shape)}, "
            f"expected {expected[wrong[0]]} ({len(wrong)} such in all); {advice}"
        )
    module.load_state_dict(dict(tensors))


def fingerprint(config: RunConfig, tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits that identify a network: its room, configuration and every value of its tensors.

    It is the generator, or the classifier of a run that trains one. Two snapshots with the same network have the same
    fingerprint, whatever else their runs were told.
    """
    settings = config.generator if config.classifier is None else config.classifier
    identity = {"room": config.generator_room, "generator": to_dict(settings)}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).numpy().data)
    return digest.hexdigest()[:16]


def plain_tensors(module: nn.Module | dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of a module's state on the CPU: contiguous, none sharing memory, floating point as float32."""
    state = module.state_dict() if isinstance(module, nn.Module) else module
    return {
        name: tensor.detach().to(
            device="cpu",
            dtype=torch.float32 if tensor.is_floating_point() else tensor.dtype,
            memory_format=torch.contiguous_format,
            copy=True,
        )
        for name, tensor in state.items()
    }


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _rounded(name: str, tensor: Tensor) -> Tensor:
    """Return a tensor with floating point as float16."""
    if not tensor.is_floating_point():
        return tensor
    largest, limit = tensor.abs().max().item() if tensor.numel() else 0.0, torch.finfo(torch.float16).max
    if largest > limit:
        raise CheckpointError(
            f"'{name}' holds {largest:g}, expected at most {limit:g} in half precision; keep full precision"
        )
    return tensor.half()


def _write_tensors(path: Path, tensors: dict[str, Tensor], room: str) -> None:
    metadata = {"limner": __version__, "format": str(FORMAT), "name": path.stem, "room": room}
    with atomic_file(path, sync=True) as file:
        file.write(safetensors.torch.save(tensors, metadata))


def _document(kind: str, config: RunConfig, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {"limner": __version__, "format": FORMAT, "kind": kind, **extra, "config": to_dict(config)}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    with atomic_file(path, sync=True) as file:
        file.write(json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


def read_tensors(folder: Path, name: str, room: str) -> dict[str, Tensor]:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        held = ", ".join(network_names(folder)) or "no network"
        raise CheckpointError(f"snapshot '{folder}' has no {path.name}, it holds {held}; choose one of these")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {key: _full(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"'{path}' is damaged or no safetensors file ({_first_line(error)}); copy it again from where it came"
        ) from None
    if "limner" not in about or not about.get("format", "").isdigit():
        raise CheckpointError(f"'{path}' was not written by limner, expected its metadata; use a snapshot of limner")
    for key, expected in (("name", name), ("room", room)):
        if about.get(key) != expected:
            raise CheckpointError(
                f"'{path}' holds {key} '{about.get(key)}', expected '{expected}'; was the file renamed or moved here?"
            )
    for migration in _migrations(int(about["format"]), path, about["limner"]):
        tensors = migration.tensors(name, tensors)
    return tensors


def _migrations(number: Any, path: Path, version: str) -> list[Migration]:
    """Return the steps from format `number` to `FORMAT`."""
    if not isinstance(number, int) or number not in {*MIGRATIONS, FORMAT}:
        raise CheckpointError(
            f"'{path}' has format {number}, written by limner {version}, expected at most {FORMAT}; "
            f"this is limner {__version__}: install a newer one"
        )
    return [MIGRATIONS[n] for n in range(number, FORMAT)]


def _move_into_place(temporary: Path, folder: Path) -> None:
    """Rename a finished folder, setting an older one aside until the new one is there."""
    aside = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
    try:
        os.replace(temporary, folder)
    except OSError:
        if aside.exists():
            os.replace(aside, folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _is_state(path: Path) -> bool:
    return path.parent.name == "state" and (path.parent.parent / CONFIG_NAME).is_file()


def _what_a_file_is(path: Path) -> str:
    if _is_state(path):
        return f"; this is a training state: give its run folder '{path.parent.parent}'"
    if path.name == CONFIG_NAME:
        return f"; give its folder '{path.parent}'"
    return "; a file of another program is read by its ending: .pkl, .pt, .pth or .model"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn a failed write into a sentence that names what was being written."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"cannot write '{path}': {error.strerror or error}; what was there before is kept: free space and try again"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
