"""Linear separability of latents by what is seen in the pictures (`ls`).

Source: StyleGAN paper (Karras et al. 2019), Section 4.2: 200,000 pictures are made and classified by attribute; for
each attribute the half that its classifier is surest of is kept (100,000), a linear SVM is fitted to tell its label
from the latent, and H(Y | X) is the entropy in bits of the label given the side of the SVM's plane. The score is 2 to
the power of the sum over attributes; 1 is perfect. It is computed in Z and in W (its last layer); the headline is W's.

The classifiers are the caller's: a function of pictures [N, C, H, W] in [-1, 1] that returns logits [N, A], and the
names of the A attributes; the paper's 40 for CelebA-HQ cannot be shared. The score of one set of attributes cannot be
compared with that of another, so their number belongs beside it (`ls/attributes`). `ls/z` is the score in Z, `ls/w/0`,
`ls/w/1`, ... are the entropies of the attributes in W, in their order.

As in the original, the SVM is judged on what it was fitted to, and an attribute that no picture or every picture has
counts as perfectly separated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import Tensor

from limner.errors import ConfigError
from limner.metrics.base import Accumulator, Metric, Rows, State, Statistic, joined
from limner.metrics.engine.networks import Attributes, Networks
from limner.metrics.engine.sources import GeneratorPictures, PictureSource, check_finite

KEPT = 0.5
"""Share of the pictures, the surest ones, that an attribute is judged on."""


@dataclass(frozen=True, kw_only=True)
class AttributeSamples(Statistic):
    """Latents and logits of every picture: `z` [n, z_dim], `w` [n, w_dim], `logits` [n, A]."""

    views = "latents"
    is_stored = False

    def accumulator(self, source: PictureSource, networks: Networks) -> Accumulator:
        if networks.attributes is None:
            raise ConfigError(
                "ls: linear separability needs classifiers of attributes, got none; train one with limner train "
                "--preset classifier-tiny and name its run with --classifier, or give a callable with names, "
                "limner.metrics.engine.networks.Attributes"
            )
        return AttributeRows(cast(GeneratorPictures, source), networks.attributes)

    def merged(self, states: Sequence[State]) -> State:
        return joined(states)


class AttributeRows(Rows):
    """See `AttributeSamples`."""

    def __init__(self, source: GeneratorPictures, attributes: Attributes) -> None:
        super().__init__()
        self._source, self._attributes = source, attributes

    def add(self, indices: Tensor, values: Tensor) -> None:
        source, names = self._source, self._attributes.names
        draws = source.draws(indices.tolist())
        with source.evaluating():
            ws = source.generator.mapping(draws.z, draws.c)  # [n, num_ws, w_dim]
            images = source.generator.synthesis(ws, noises=draws.noises or None)
            check_finite(images, source.name)
            logits = self._attributes.logits(images)  # [n, A]
        if logits.shape != (len(indices), len(names)):
            raise ConfigError(
                f"ls: the classifiers gave logits of {list(logits.shape)}, expected [{len(indices)}, {len(names)}], a "
                f"number for each of: {', '.join(names)}"
            )
        self.keep(indices, z=draws.z, w=ws[:, -1], logits=logits)


@dataclass(frozen=True, kw_only=True)
class Separability(Metric):
    """See the module."""

    num_real: int | None = 0
    needs_generator: bool = True

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (AttributeSamples(count=self.num_generated),)

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        state = generated[0]
        logits = state["logits"].double().numpy()  # [n, A]
        spaces = {s: [entropy_left(state[s].double().numpy(), column) for column in logits.T] for s in ("z", "w")}
        scores = {space: float(2 ** np.sum(entropies)) for space, entropies in spaces.items()}
        values = {self.name: scores["w"], f"{self.name}/z": scores["z"], f"{self.name}/attributes": logits.shape[1]}
        return values | {f"{self.name}/w/{index}": value for index, value in enumerate(spaces["w"])}


def entropy_left(latents: np.ndarray, logits: np.ndarray) -> float:
    """Return H(label | side of a fitted plane) in bits, over the surest half.

    Args:
        latents: [n, D].
        logits: [n] of one attribute.
    """
    from sklearn.svm import LinearSVC

    surest = np.argsort(-np.abs(logits), kind="stable")[: max(int(len(logits) * KEPT), 1)]
    labels = logits[surest] > 0
    if labels.all() or not labels.any():
        return 0.0
    sides = LinearSVC(random_state=0).fit(latents[surest], labels).predict(latents[surest])
    return conditional_entropy(labels, sides)


def conditional_entropy(labels: np.ndarray, sides: np.ndarray) -> float:
    """Return H(labels | sides) in bits of two boolean arrays [n]."""
    total = 0.0
    for side in (False, True):
        share = np.mean(sides == side)
        if share == 0:
            continue
        p = np.mean(labels[sides == side])
        total += share * -sum(q * np.log2(q) for q in (p, 1 - p) if q > 0)
    return float(total)


METRICS: dict[str, Metric] = {
    "ls": Separability(stem="ls", separator="_", unnamed_count=200_000, num_generated=200_000)
}
