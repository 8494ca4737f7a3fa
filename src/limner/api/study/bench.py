"""The networks and pictures of a study, opened once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner import registry
from limner.api import classifying
from limner.api.inverting import open_encoder, open_generator, weights_digest
from limner.api.study.request import StudyRequest
from limner.checkpoints.io import find_snapshot, load_config, load_tensors, network_names, read_networks
from limner.data import open_dataset
from limner.editing.engine.samples import pictures, sampled_codes
from limner.errors import ConfigError
from limner.features.base import PerceptualNetwork
from limner.inversion.engine.terms import load_network
from limner.metrics.engine.networks import Attributes
from limner.papers.base import Discriminator, Encoder, Generator

DISCRIMINATOR = "discriminator"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is measured, and what measures."""

    generator: Generator
    identity: str
    """Fingerprint of the generator."""
    guided: Encoder
    conventional: Encoder
    judge: Encoder | None
    discriminator: Discriminator | None
    """The generator's own, as its training left it."""
    classifier: Attributes | None
    network: PerceptualNetwork | None
    """In the losses, and for the perceptual distance that is reported."""
    digests: dict[str, str]
    """`guided`, `conventional` -> digest of the encoder's weights."""
    sets: dict[str, Tensor]
    """`held-out`, `outside`, `made` and, if given, `train` -> pictures [N, C, H, W] in [-1, 1]."""
    made_ws: Tensor
    """[N, num_ws, w_dim]: the codes of `made`."""
    labels: np.ndarray | None
    """[N, A] bool of the held-out pictures; None where they have none that the classifier knows."""
    attributes: tuple[str, ...]
    """Names of the columns of `labels`."""


def open_bench(request: StudyRequest, device: str) -> Bench:
    """Open everything a study needs, so that what is missing is told before anything is computed.

    Raises:
        CheckpointError: see `load`; or an encoder of another generator.
        ConfigError: a conditional generator, too few pictures, or a classifier of other attributes.
        DataError: pictures that cannot be read.
        WeightsError: the perceptual network's weights are not on this machine.
    """
    generator, identity = open_generator(request.checkpoint, device)
    if generator.c_dim:
        raise ConfigError("study: got a conditional generator, expected one without labels; invert a class by itself")
    encoders = {
        name: open_encoder(path, request.checkpoint, generator, identity)
        for name, path in (("guided", request.encoder), ("conventional", request.conventional))
    }
    judge = None if request.judge is None else open_encoder(request.judge, request.checkpoint, generator, identity)
    classifier = None if request.classifier is None else classifying.open_classifier(request.classifier, generator)
    held_out, labels, names = _read(request.data, generator, request.num)
    subset = min(request.subset, request.num)
    known = [] if classifier is None else [name for name in names if name in classifier.names]
    if classifier is not None and not known:
        raise ConfigError(
            f"study: '{request.data}' is labelled with {', '.join(names) or 'nothing'}, expected attributes of the "
            f"classifier: {', '.join(classifier.names)}; give labelled pictures, or leave --classifier out"
        )
    made_ws = sampled_codes(generator, subset)[1]
    sets = {
        "held-out": held_out,
        "outside": _outside(held_out[:subset])
        if request.outside is None
        else _read(request.outside, generator, subset)[0],
        "made": torch.cat(list(pictures(generator, made_ws, request.batch))).clamp(-1, 1).cpu(),
    }
    if request.train_data is not None:
        sets["train"] = _read(request.train_data, generator, subset)[0]
    guided, conventional = encoders["guided"], encoders["conventional"]
    assert guided is not None
    assert conventional is not None
    return Bench(
        generator=generator,
        identity=identity,
        guided=guided,
        conventional=conventional,
        judge=judge,
        discriminator=_discriminator(request.checkpoint, generator),
        classifier=classifier,
        network=load_network(request.perceptual, generator.w_avg.device),
        digests={name: weights_digest(encoder) for name, encoder in encoders.items()},
        sets=sets,
        made_ws=made_ws.cpu(),
        labels=None if labels is None or not known else labels[:, [names.index(name) for name in known]],
        attributes=tuple(known),
    )


def _read(data: str | Path, generator: Generator, count: int) -> tuple[Tensor, np.ndarray | None, tuple[str, ...]]:
    """Return the first pictures [N, C, H, W], which of their labels hold [N, A], and the labels' names."""
    with closing(
        open_dataset(str(data), resolution=generator.img_resolution, channels=generator.img_channels)
    ) as found:
        if len(found) < count:
            raise ConfigError(f"study: '{data}' has {len(found)} pictures, expected at least {count}; ask for fewer")
        pixels = np.stack([found.image(index) for index in range(count)])
        labels = found.labels
    images = torch.from_numpy(pixels).float() / 127.5 - 1
    if labels is None or labels.names is None:
        return images, None, ()
    return images, labels.vectors(np.arange(count)) > 0, tuple(labels.names)


def _outside(images: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] that have left the domain, in turn: upside down, negative, halves exchanged.

    Halves of the height and of the width are exchanged, so that the middle lies in the corners.
    """
    height, width = images.shape[2:]
    changed = (images.flip(2), -images, images.roll((height // 2, width // 2), (2, 3)))
    return torch.stack([changed[index % len(changed)][index] for index in range(len(images))])


def _discriminator(checkpoint: str | Path, generator: Generator) -> Discriminator | None:
    """Return the generator's discriminator; None where it is not there, or went on training with an encoder."""
    folder = find_snapshot(checkpoint)
    config = load_config(folder)
    if config.encoder is not None or DISCRIMINATOR not in network_names(folder):
        return None
    with torch.random.fork_rng(devices=[]):
        built: Discriminator = registry.get("papers", config.generator_room).Discriminator(config.discriminator)
    load_tensors(built, read_networks(folder, [DISCRIMINATOR])[DISCRIMINATOR], str(folder))
    return built.to(generator.w_avg.device).eval().requires_grad_(False)
