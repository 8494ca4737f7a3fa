"""Classifiers that runs have trained, where pictures of a generator are to be classified."""

from __future__ import annotations

from pathlib import Path

from limner.checkpoints import embedded
from limner.checkpoints.io import CONFIG_NAME, find_snapshot, read_document
from limner.checkpoints.networks import load_classifier
from limner.metrics.engine.networks import Attributes
from limner.papers.base import Generator


def is_trained(path: str | Path) -> bool:
    """Whether `path` is a run, a snapshot, or a network in one, rather than pictures or a linear classifier."""
    place = embedded.resolve(path)
    folder = place.parent if place.suffix == ".safetensors" else place
    return (folder / CONFIG_NAME).is_file() or (folder / "snapshots").is_dir()


def open_classifier(path: str | Path, generator: Generator) -> Attributes:
    """Return the classifier of a run or a snapshot, on the device of a generator, for its pictures.

    Raises:
        CheckpointError: no snapshot, or none of a classifier.
        ShapeError: it looks at pictures of another size or number of channels.
    """
    classifier = load_classifier(path, generator.w_avg.device)
    classifier.check_pictures(generator.img_resolution, generator.img_channels)
    return Attributes(classifier.attributes, classifier.judge)


def identity(path: str | Path) -> str:
    """Return the fingerprint of the classifier of a run or a snapshot."""
    return str(read_document(find_snapshot(path)).get("fingerprint", ""))
