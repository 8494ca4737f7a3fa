"""Finding directions, and bringing in those of others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from limner import registry
from limner.api import classifying
from limner.api.found import RECORD_NAME, load_folder
from limner.api.generation import Label, Progress
from limner.api.inverting import open_generator
from limner.api.labelled import ALL
from limner.api.mixing import parse_layers
from limner.data import open_dataset
from limner.data.readers import read_label_file
from limner.editing import channels, svm
from limner.editing.base import Direction
from limner.editing.engine.boundaries import read_boundary
from limner.editing.engine.probe import Probe, fit_probe, pooled
from limner.editing.engine.samples import pictures, sampled_codes
from limner.editing.engine.styles import style_layers, styles
from limner.errors import CheckpointError, ConfigError, closest
from limner.metrics.engine.networks import Attributes
from limner.papers.base import Generator
from limner.runtime import expand

Space = Literal["z", "w", "w+"]
CLASSIFIER_NAME = "classifier.safetensors"
NETWORK = "lite0"
"""Feature network of classifiers."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Codes and what is known of their pictures."""

    codes: Mapping[str, Tensor]
    """Space -> codes [N, ...]."""
    names: tuple[str, ...]
    """Attributes."""
    values: Tensor
    """[N, A], above 0 where a picture has the attribute."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Where the knowledge of attributes comes from: a classifier of sampled pictures, or labels of inverted ones."""

    attributes: tuple[str, ...] = ()
    """Which; empty, or `("all",)`: all."""
    classifier: str | Path | None = None
    """Labelled pictures in any form (a classifier is fitted to them), a classifier.safetensors written before, or a
    run that trained a classifier."""
    inverted: str | Path | None = None
    """Folder of `limner invert`."""
    labels: str | Path | None = None
    """Label file of the inverted pictures."""
    num_samples: int = 5000
    """Pictures sampled for a classifier."""
    label: Label = None
    """Class of a conditional generator that is sampled."""
    batch: int = 32
    """Pictures at a time."""


def fit_directions(
    checkpoint: str | Path,
    out: str | Path,
    evidence: Evidence,
    *,
    space: Space = "w",
    error_weight: float = 1.0,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[tuple[Path, Direction]]:
    """Find the boundary of every attribute with a linear SVM and write a direction each: `out/NAME.safetensors`.

    Args:
        checkpoint: see `load`.
        out: folder; made when missing. A classifier that was fitted is written there, too.
        evidence: what is known of attributes.
        space: where to look.
        error_weight: `C` of the SVM: with few codes, less of it gives boundaries that codes vary more across, so that
            edits reach further.
        device: see `load`.
        progress: called with pictures (done, in all).

    Raises:
        CheckpointError: see `load`; codes or a classifier that are damaged or of another generator.
        ConfigError: no evidence, an unknown attribute, or one that all or no pictures have.
        DataError: labelled pictures that cannot be read.
        WeightsError: the feature network's weights are not on this machine.
    """
    machine = svm.Edit(C=error_weight)
    generator, identity = open_generator(checkpoint, device)
    folder = expand(out)
    scores = gather_scores(generator, identity, evidence, folder, progress)
    if space not in scores.codes:
        raise ConfigError(
            f"space: got '{space}', these codes are known in {', '.join(scores.codes)}; choose one of them"
        )
    found = []
    for index, name in enumerate(scores.names):
        machine.fit(scores.codes[space], scores.values[:, index], attribute=name, space=space)
        found.append(replace(machine.direction_, fingerprint=identity))
    return _write(folder, found)


def rank_channels(
    checkpoint: str | Path,
    out: str | Path,
    evidence: Evidence,
    *,
    count: int = 5,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[tuple[Path, Direction]]:
    """Find the style channels that carry each attribute, and write a direction for each of the best `count`.

    Arguments and errors are those of `fit_directions`.
    """
    generator, identity = open_generator(checkpoint, device)
    folder = expand(out)
    scores = gather_scores(generator, identity, evidence, folder, progress)
    layers = style_layers(generator)
    bank = styles(layers, scores.codes["w+"].to(generator.w_avg)).cpu()
    found = []
    for index, name in enumerate(scores.names):
        edit = channels.Edit(count=count).fit(layers, bank, scores.values[:, index], attribute=name)
        found += [replace(direction, fingerprint=identity) for direction in edit.directions_]
    return _write(folder, found)


def discover(
    checkpoint: str | Path,
    out: str | Path,
    method: str,
    *,
    count: int = 5,
    layers: str | None = None,
    label: Label = None,
    device: str = "auto",
) -> list[tuple[Path, Direction]]:
    """Find directions that nobody named, by `sefa` or `pca`, and write one file each.

    Args:
        checkpoint: see `load`.
        out: folder; made when missing.
        method: `sefa` or `pca`.
        count: directions wanted.
        layers: see `mixing.parse_layers`; the layers sefa looks at, and the directions of either work in.
        label: class of a conditional generator.
        device: see `load`.

    Raises:
        CheckpointError: see `load`.
        ConfigError: an unknown method or layer, or a count below 1.
    """
    if count < 1:
        raise ConfigError(f"count: got {count}, expected at least 1 direction")
    generator, identity = open_generator(checkpoint, device)
    chosen = None if layers is None else tuple(parse_layers(layers, generator.num_ws))
    c = generator.label_vector(label)
    part: Any = registry.get("editing", method)
    settings = {"layers": chosen} if method == "sefa" else {}
    edit = part.Edit(count=count, **settings).fit(generator, c=c)
    found = [replace(direction, fingerprint=identity, layers=chosen) for direction in edit.directions_]
    return _write(expand(out), found)


def import_boundary(
    checkpoint: str | Path,
    boundary: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    space: Space = "w",
    device: str = "auto",
) -> tuple[Path, Direction]:
    """Write a boundary file of InterFaceGAN or IDInvert (.npy) as a direction. Nothing it carries is run.

    Args:
        checkpoint: the generator it belongs to, converted; see `load`.
        boundary: .npy file.
        out: folder; made when missing.
        name: what it changes; None: the name of the file.
        space: where a boundary of InterFaceGAN lives.
        device: see `load`.

    Raises:
        CheckpointError: see `load`; or the boundary is damaged or of another size.
    """
    generator, identity = open_generator(checkpoint, device)
    path = expand(boundary)
    z, ws = sampled_codes(generator, 2000, None if not generator.c_dim else generator.label_vector(0))
    codes = {"z": z.cpu(), "w": ws[:, 0].cpu(), "w+": ws.cpu()}
    direction = read_boundary(path, name=name or path.stem, space=space, codes=codes)
    (written,) = _write(expand(out), [replace(direction, fingerprint=identity)])
    return written


def gather_scores(
    generator: Generator, identity: str, evidence: Evidence, folder: Path, progress: Progress | None
) -> Scores:
    """Return codes with what is known of their pictures; see `fit_directions` for what is refused."""
    if (evidence.classifier is None) == (evidence.inverted is None):
        raise ConfigError(
            "attributes: expected either a classifier (--classifier: labelled pictures) or inverted pictures with "
            "their labels (--inverted, --labels), got both or neither; give one"
        )
    scores = (
        _inverted_scores(generator, identity, evidence)
        if evidence.inverted is not None
        else _sampled_scores(generator, evidence, folder, progress)
    )
    wanted = _wanted(evidence, scores.names)
    columns = [scores.names.index(name) for name in wanted]
    return Scores(codes=scores.codes, names=wanted, values=scores.values[:, columns])


def _wanted(evidence: Evidence, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the attributes asked for, of those that are known."""
    if evidence.attributes in ((), (ALL,)):
        return names
    unknown = [name for name in evidence.attributes if name not in names]
    if unknown:
        raise ConfigError(f"attributes: got '{unknown[0]}', known are {', '.join(names)}.{closest(unknown[0], names)}")
    return evidence.attributes


def _inverted_scores(generator: Generator, identity: str, evidence: Evidence) -> Scores:
    """Return the codes of inverted pictures and their labels as values of -1 and 1."""
    folder = expand(evidence.inverted or "")
    if evidence.labels is None:
        raise ConfigError("labels: got none for the inverted pictures, expected a label file; name it with --labels")
    if not (folder / RECORD_NAME).is_file():
        raise CheckpointError(f"'{folder}' holds no finished inversion, expected a folder of limner invert")
    found = load_folder(folder, generator, identity)
    labels = read_label_file(str(expand(evidence.labels)), [f.name for f in found], takes_others=True)
    vectors = labels.vectors(np.arange(len(found)))  # [N, A]
    ws = torch.stack([f.ws for f in found])  # [N, num_ws, w_dim]
    codes = {"w": ws.mean(1), "w+": ws}
    if found[0].space == "z":
        codes["z"] = torch.stack([f.code for f in found])
    values = torch.from_numpy(np.where(vectors > 0, 1.0, -1.0)).float()
    return Scores(codes=codes, names=_names(labels.names, vectors.shape[1]), values=values)


def _sampled_scores(generator: Generator, evidence: Evidence, folder: Path, progress: Progress | None) -> Scores:
    """Return sampled codes and a classifier's logits of their pictures."""
    if evidence.num_samples < 1 or evidence.batch < 1:
        raise ConfigError(f"samples: got {evidence.num_samples} in batches of {evidence.batch}, expected at least 1")
    judge = _judge(generator, evidence, folder)
    _wanted(evidence, judge.names)  # before the long part
    z, ws = sampled_codes(generator, evidence.num_samples, generator.label_vector(evidence.label))
    logits = [judge.logits(images).cpu() for images in pictures(generator, ws, evidence.batch, progress)]
    ws = ws.cpu()
    return Scores(codes={"z": z.cpu(), "w": ws.mean(1), "w+": ws}, names=judge.names, values=torch.cat(logits))


def _judge(generator: Generator, evidence: Evidence, folder: Path) -> Attributes:
    """Return the classifier that a run trained, or one of the features of a frozen network."""
    if classifying.is_trained(evidence.classifier or ""):
        return classifying.open_classifier(evidence.classifier or "", generator)
    network = registry.get("features", NETWORK).load(device=generator.w_avg.device)
    probe = _classifier(generator, network, evidence, folder)
    return Attributes(probe.names, lambda images: probe.logits(network, images))


def _classifier(generator: Generator, network: Any, evidence: Evidence, folder: Path) -> Probe:
    """Return a classifier that was written before, or fit one to labelled pictures and write it."""
    path = expand(evidence.classifier or "")
    if path.suffix == ".safetensors":
        return Probe.load(path)
    dataset = open_dataset(
        str(evidence.classifier), resolution=generator.img_resolution, channels=generator.img_channels
    )
    try:
        labels = dataset.labels
        if labels is None:
            raise ConfigError(f"classifier: '{evidence.classifier}' carries no labels; see docs/howto/labels.md")
        features = []
        for first in range(0, len(dataset), evidence.batch):
            numbers = range(first, min(first + evidence.batch, len(dataset)))
            pixels = torch.from_numpy(np.stack([dataset.image(index) for index in numbers])).to(generator.w_avg)
            features.append(pooled(network, pixels / 127.5 - 1))
    finally:
        dataset.source.close()
    vectors = labels.vectors(np.arange(len(dataset)))
    names = _names(labels.names, vectors.shape[1])
    wanted = _wanted(evidence, names)
    columns = [names.index(name) for name in wanted]
    probe = fit_probe(torch.cat(features), vectors[:, columns], wanted, NETWORK)
    probe.save(folder / CLASSIFIER_NAME)
    return probe


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    return tuple(names) if names is not None else tuple(f"label-{index}" for index in range(count))


def _write(folder: Path, found: Sequence[Direction]) -> list[tuple[Path, Direction]]:
    """Write each direction under its name."""
    return [(d.save(folder / f"{file_name(d.name)}.safetensors"), d) for d in found]


def file_name(name: str) -> str:
    """Return a name as a file may be called."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "direction"
