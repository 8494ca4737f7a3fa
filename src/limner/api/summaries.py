"""What a data set or a checkpoint holds, as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from limner import registry
from limner.checkpoints import embedded, zoo
from limner.checkpoints.io import (
    CLASSIFIER,
    CONFIG_NAME,
    ENCODER,
    GENERATORS,
    METRICS_NAME,
    find_snapshot,
    load_config,
    load_tensors,
    network_names,
    read_document,
    read_networks,
)
from limner.checkpoints.networks import load_classifier, load_generator
from limner.checkpoints.official import cache
from limner.config import RunConfig
from limner.data import open_source
from limner.data.describe import contact_pictures, describe
from limner.images import contact_sheet, save_png
from limner.runtime import expand


def info(path: str | Path, *, sheet: str | Path | None = None) -> dict[str, Any]:
    """Return what a data set, a run or a snapshot holds.

    Args:
        path: a data set in any form, `samples`, or a checkpoint as `load` takes it.
        sheet: for data, write a contact sheet of up to 36 pictures to this .png.

    Returns:
        Plain values; `kind` is `data`, `run` or `snapshot`.

    Raises:
        DataError: nothing there, or no pictures.
        CheckpointError: a damaged snapshot.
        LimnerError: the sheet cannot be written.
    """
    if is_checkpoint(path):
        return _checkpoint_info(embedded.resolve(path))
    return _data_info(path, sheet)


def is_checkpoint(path: str | Path) -> bool:
    """Whether `path` looks like a run, a snapshot, a weights file or a published checkpoint rather than pictures."""
    place = embedded.resolve(path)
    if not place.exists():
        return place.suffix == ".safetensors" or zoo.is_published(str(place))
    is_weights = place.suffix == ".safetensors" or cache.is_foreign(place)
    return is_weights or (place / CONFIG_NAME).is_file() or (place / "snapshots").is_dir()


def _checkpoint_info(path: Path) -> dict[str, Any]:
    config = load_config(path)
    room = registry.get("papers", config.room)
    height, width = config.data.resolution
    about = {
        "kind": "snapshot",
        "path": str(path),
        "room": config.room,
        "paper": f"{room.PAPER.title} ({room.PAPER.year}, arXiv {room.PAPER.arxiv})",
        "preset": config.preset,
        "resolution": [height, width],
        "channels": config.data.channels,
        "c_dim": config.data.c_dim,
        "data": config.data.path,
    }
    snapshots = sorted((p for p in (path / "snapshots").glob("*") if p.name.isdigit()), key=lambda p: int(p.name))
    if (path / CONFIG_NAME).is_file() and read_document(path)["kind"] == "run":
        about |= {"kind": "run", "total_kimg": config.total_kimg, "snapshots": [p.name for p in snapshots]}
        if not snapshots:
            return about
    return about | _snapshot_info(find_snapshot(path))


def _snapshot_info(folder: Path) -> dict[str, Any]:
    """Return what one snapshot holds; reading every weight, so that a damaged file is found."""
    document, config = read_document(folder), load_config(folder)
    metrics = folder / METRICS_NAME
    return {
        "snapshot": str(folder),
        "kimg": document.get("kimg"),
        **(_generator_info(folder, config) if config.classifier is None else _classifier_info(folder)),
        "size_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "metrics": json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {},
        "fingerprint": document.get("fingerprint"),
        "limner": document["limner"],
    }


def _generator_info(folder: Path, config: RunConfig) -> dict[str, Any]:
    """Return what is particular to a snapshot with a generator."""
    names = network_names(folder)
    generator = load_generator(folder)
    networks_room = registry.get("papers", config.generator_room)
    modules = {
        **dict.fromkeys(GENERATORS, generator),
        "discriminator": networks_room.Discriminator(config.discriminator),
    }
    if config.encoder is not None:
        modules[ENCODER] = registry.get("papers", config.room).Encoder(config.encoder)
    for name, tensors in read_networks(folder, names).items():
        load_tensors(modules.get(name, generator), tensors, str(folder / f"{name}.safetensors"))
    return {
        "networks": {name: _num_parameters(modules[name]) for name in names},
        "z_dim": generator.z_dim,
        "w_dim": generator.w_dim,
        "num_ws": generator.num_ws,
    }


def _classifier_info(folder: Path) -> dict[str, Any]:
    """Return what is particular to a snapshot of a classifier."""
    classifier = load_classifier(folder)
    return {"networks": {CLASSIFIER: _num_parameters(classifier)}, "attributes": list(classifier.attributes)}


def _num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _data_info(path: str | Path, sheet: str | Path | None) -> dict[str, Any]:
    source = open_source(path)
    try:
        about = {"kind": "data", **describe(source)}
        shown = contact_pictures(source) if sheet else []
        if sheet and shown:
            picture = contact_sheet([picture for _, picture in shown], [Path(name).name for name, _ in shown])
            about["sheet"] = str(save_png(picture, expand(sheet)))
        return about
    finally:
        source.close()
