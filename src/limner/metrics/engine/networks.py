"""The feature networks of a measurement, each loaded once, when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limner import registry


@dataclass(frozen=True)
class Attributes:
    """Classifiers of what a picture shows."""

    names: tuple[str, ...]
    """Of the attributes."""
    logits: Callable[[Tensor], Tensor]
    """Images [N, C, H, W] float in [-1, 1] -> [N, A], positive where a picture has the attribute."""


class Networks:
    """Networks by name on one device."""

    def __init__(
        self,
        device: torch.device | str = "cpu",
        *,
        weights: Mapping[str, str | Path] | None = None,
        loaded: Mapping[str, Any] | None = None,
        attributes: Attributes | None = None,
    ) -> None:
        """Look for networks on `device`.

        Args:
            device: where they compute.
            weights: name -> weight file or its folder, for those not to be looked for in the usual places.
            loaded: name -> network, for those that need no loading; they are on `device`.
            attributes: classifiers, for metrics that ask what a picture shows.
        """
        self.attributes = attributes
        self.device = torch.device(device)
        self._weights = dict(weights or {})
        self._loaded = dict(loaded or {})

    def get(self, name: str) -> Any:
        """Return the network called `name`, a `FeatureNetwork` or a `PerceptualNetwork`.

        Raises:
            WeightsError: its weight file is missing or another; the message says where to put it.
            ConfigError: there is no such network.
        """
        if name not in self._loaded:
            module = registry.get("features", name)
            self._loaded[name] = module.load(weights=self._weights.get(name), device=self.device)
        return self._loaded[name]

    def stamp(self, name: str) -> dict[str, str]:
        """Return what tells a network apart: `sha256` of its weights, and its `resize` filter where it resizes."""
        network = self.get(name)
        resize = getattr(network, "resize", None)
        return {"sha256": network.sha256} | ({"resize": resize} if resize else {})
