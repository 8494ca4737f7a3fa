"""Networks of snapshots, built with their weights and ready for use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from limner import registry
from limner.checkpoints.io import (
    CLASSIFIER,
    ENCODER,
    GENERATORS,
    find_snapshot,
    fingerprint,
    load_config,
    load_tensors,
    network_names,
    plain_tensors,
    read_document,
    read_tensors,
)
from limner.config import SourceConfig
from limner.errors import CheckpointError
from limner.papers.base import Classifier, Encoder, FinishedGenerator, Generator
from limner.runtime import expand


def load_generator(path: str | Path, name: str | None = None, device: torch.device | str = "cpu") -> Generator:
    """Build the generator of a snapshot with its weights, ready for use: evaluation mode, no gradients.

    Building it leaves torch's random number generator as it was.

    Args:
        path: see `find_snapshot`.
        name: `generator_ema` or `generator`; None: the file named by `path`, else `generator_ema`.
        device: where to put it.

    Raises:
        CheckpointError: no snapshot, a damaged or foreign file, or tensors that do not fit config.json.
    """
    folder = find_snapshot(path)
    if name is None:
        place = expand(path)
        name = place.stem if place.suffix == ".safetensors" and place.is_file() else GENERATORS[0]
    if name not in GENERATORS:
        raise CheckpointError(
            f"'{folder / name}.safetensors' is not a generator, expected {' or '.join(GENERATORS)}; "
            "give the snapshot folder to take its generator_ema"
        )
    config = load_config(folder)
    if config.classifier is not None:
        raise CheckpointError(
            f"'{folder}' holds no generator, but a classifier of {len(config.classifier.attributes)} attributes; give "
            "the run of a generator here, and this one as --classifier where a classifier is asked for"
        )
    build = registry.get("papers", config.generator_room).Generator
    generator: Generator = _built(folder, name, config.room, lambda: build(config.generator))
    generator.lod = float(read_document(folder).get("lod", 0.0))
    return generator.to(device).eval().requires_grad_(False)


def load_encoder(path: str | Path, device: torch.device | str = "cpu") -> Encoder:
    """Build the encoder of a snapshot with its weights, ready for use: evaluation mode, no gradients of its own.

    Its `fingerprint` is that of its generator, which lies beside it: `load_generator` with the same path gives it.

    Args:
        path: a folder of a run that trained an encoder, a snapshot folder in it or a .safetensors file in one.
        device: where to put it.

    Raises:
        CheckpointError: no snapshot, none with an encoder, a damaged or foreign file, or tensors that do not fit.
    """
    folder = find_snapshot(path)
    config = load_config(folder)
    if config.encoder is None:
        raise CheckpointError(
            f"'{folder}' holds no encoder, but {', '.join(network_names(folder))} of preset {config.preset}; train one "
            "for the generator: limner train --preset idinvert-tiny --generator RUN --data PICTURES"
        )
    room = registry.get("papers", config.room)
    encoder: Encoder = _built(folder, ENCODER, config.room, lambda: room.Encoder(config.encoder))
    encoder.fingerprint = str(read_document(folder).get("fingerprint", ""))
    return encoder.to(device).eval().requires_grad_(False)


def load_classifier(path: str | Path, device: torch.device | str = "cpu") -> Classifier:
    """Build the classifier of a snapshot with its weights, ready for use: evaluation mode, no gradients.

    Args:
        path: a folder of a run that trained a classifier, a snapshot folder in it or a .safetensors file in one.
        device: where to put it.

    Raises:
        CheckpointError: no snapshot, none with a classifier, a damaged or foreign file, or tensors that do not fit.
    """
    folder = find_snapshot(path)
    config = load_config(folder)
    if config.classifier is None:
        raise CheckpointError(
            f"'{folder}' holds no classifier, but {', '.join(network_names(folder))} of preset {config.preset}; train "
            "one on labelled pictures: limner train --preset classifier-tiny --data PICTURES"
        )
    room = registry.get("papers", config.room)
    classifier: Classifier = _built(folder, CLASSIFIER, config.room, lambda: room.Classifier(config.classifier))
    return classifier.to(device).eval().requires_grad_(False)


def finished_generator(path: str | Path) -> FinishedGenerator:
    """Return what the preset of an encoder has to know of the generator of a snapshot.

    Args:
        path: a run folder, a snapshot folder or a .safetensors file in one; its `generator_ema` is meant.

    Raises:
        CheckpointError: no snapshot, a damaged one, or one of a run that was still growing.
    """
    folder = find_snapshot(path)
    config, G = load_config(folder), load_generator(folder)
    if G.lod:
        raise CheckpointError(
            f"'{folder}' holds a generator that has grown up to level of detail {G.lod:g}, expected 0, full "
            "resolution; let its run go on until then, or use a later snapshot"
        )
    place = expand(path)
    is_ours = place.is_dir() or place.suffix == ".safetensors"  # else a folder of the cache, which may be deleted
    source = SourceConfig(
        path=str(folder if is_ours else place),
        room=config.generator_room,
        fingerprint=fingerprint(config, plain_tensors(G)),
    )
    return FinishedGenerator(
        source=source,
        generator=config.generator,
        discriminator=config.discriminator,
        z_dim=G.z_dim,
        w_dim=G.w_dim,
        num_ws=G.num_ws,
    )


def _built(folder: Path, name: str, room: str, build: Callable[[], Any]) -> Any:
    """Build a network and give it its weights; torch's random number generator stays as it was."""
    tensors = read_tensors(folder, name, room)
    with torch.random.fork_rng(devices=[]):
        module = build()
    load_tensors(module, tensors, str(folder / f"{name}.safetensors"))
    return module
