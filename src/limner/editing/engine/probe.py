"""Classifiers of attributes without training a network: logistic regression on the features of a frozen one.

A linear probe on the pooled features of lite0 (see `features.lite0`), one attribute a row, fitted on labelled pictures
and judged on a fifth of them that it was not fitted on. Its logits label generated pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from limner import __version__
from limner.errors import CheckpointError, ConfigError
from limner.features.base import FeatureNetwork, to_rgb
from limner.runtime import atomic_file

JUDGED = 5
"""One picture in this many is kept to judge."""
FORMAT = 1
"""Number of the format of classifier files."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A linear classifier of features."""

    names: tuple[str, ...]
    """Attributes."""
    network: str
    """Feature network."""
    weight: Tensor
    """[A, D]."""
    bias: Tensor
    """[A]."""
    accuracy: Mapping[str, float]
    """Attribute -> balanced accuracy on pictures it was not fitted on."""

    def logits(self, network: FeatureNetwork, images: Tensor) -> Tensor:
        """Return logits [N, A] of pictures [N, C, H, W] in [-1, 1], above 0 where they have the attribute."""
        features = pooled(network, images)
        return features @ self.weight.to(features).T + self.bias.to(features)

    def save(self, path: Path) -> Path:
        """Write a .safetensors file in one step and return its path."""
        about = {"names": list(self.names), "network": self.network, "accuracy": dict(self.accuracy)}
        head = {"limner": __version__, "format": str(FORMAT), "name": "probe", "about": json.dumps(about)}
        try:
            with atomic_file(path) as file:
                file.write(safetensors.torch.save({"weight": self.weight, "bias": self.bias}, head))
        except OSError as error:
            raise CheckpointError(f"cannot write '{path}': {error.strerror or error}; choose another folder") from None
        return path

    @classmethod
    def load(cls, path: Path) -> Probe:
        """Read a file of `save`.

        Raises:
            CheckpointError: it is damaged or holds something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                head = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"'{path}' is damaged or no classifier ({error}); write it again") from None
        if head.get("name") != "probe" or head.get("format") != str(FORMAT):
            raise CheckpointError(f"'{path}' holds '{head.get('name')}', expected a classifier of format {FORMAT}")
        about = json.loads(head["about"])
        return cls(
            names=tuple(about["names"]),
            network=about["network"],
            weight=tensors["weight"],
            bias=tensors["bias"],
            accuracy=about["accuracy"],
        )


@torch.no_grad()
def pooled(network: FeatureNetwork, images: Tensor) -> Tensor:
    """Return the pooled features [N, D] of pictures [N, C, H, W] in [-1, 1]."""
    pixels = (to_rgb(images) * 127.5 + 128).clamp(0, 255).byte()
    return network(pixels)["pool"]


def fit_probe(features: Tensor, labels: np.ndarray, names: Sequence[str], network: str) -> Probe:
    """Fit a classifier.

    Args:
        features: [N, D].
        labels: [N, A], above 0 where a picture has the attribute.
        names: of the attributes.
        network: name of what made the features.

    Raises:
        ConfigError: an attribute that (nearly) all or no pictures have.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score

    x = features.double().cpu().numpy()
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    x = (x - mean) / deviation
    is_judged = np.arange(len(x)) % JUDGED == 0
    weights, biases, accuracy = [], [], {}
    for name, column in zip(names, labels.T > 0, strict=True):
        sides = [int((column[part] == side).sum()) for part in (is_judged, ~is_judged) for side in (False, True)]
        if min(sides) < 2:
            raise ConfigError(
                f"attribute '{name}': {int(column.sum())} of {len(column)} pictures have it, too few on one side to "
                "fit and judge a classifier; give more pictures, or name others with --attributes"
            )
        model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000).fit(
            x[~is_judged], column[~is_judged]
        )
        accuracy[name] = float(balanced_accuracy_score(column[is_judged], model.predict(x[is_judged])))
        weights.append(model.coef_[0] / deviation)
        biases.append(model.intercept_[0] - weights[-1] @ mean)
    return Probe(
        names=tuple(names),
        network=network,
        weight=torch.from_numpy(np.stack(weights)).float(),
        bias=torch.from_numpy(np.array(biases)).float(),
        accuracy=accuracy,
    )
