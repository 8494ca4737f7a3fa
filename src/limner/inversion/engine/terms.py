"""How far pictures are from those wanted: pixels, and a perceptual network as a plug-in.

Source: IDInvert paper (Zhu et al. 2020), Equations 2 and 4: squared differences of pixels and of a network's features.
All terms are means over what counts, one number a picture. The published weight of the perceptual term, 5e-5, belongs
to the scale of one network (VGG16 on 0 to 255, features of order 100); here the distance is calibrated: scaled so that
it is on average as large as the pixel term between unlike pictures of the generator. Weight 1 then means for any
network about what the published weight meant for that one.

Deviations:
- A masked term is divided by the share of the picture that counts, so its weight does not shrink with the mask.
- Outside a mask both pictures are mid-grey to the perceptual network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import registry
from limner.errors import ConfigError, WeightsError, closest
from limner.features.base import PerceptualNetwork, to_rgb
from limner.papers.base import Generator

NETWORKS = ("auto", "lpips", "stlpips", "none")
"""What may be asked for; `auto` is the first of the two that is on this machine."""
LARGEST = 256
"""Larger pictures are averaged down for the network (StyleGAN2 paper, Appendix D)."""
SMALLEST = 32
"""Pictures with a smaller side are enlarged by a whole factor for the network, which halves sizes five times."""
NUM_PAIRS = 8
"""Pairs of generated pictures the scale is measured on: those of seeds 0 to 15."""


def load_network(name: str, device: torch.device | str) -> PerceptualNetwork | None:
    """Return the perceptual network called `name`; None for `none`.

    Raises:
        ConfigError: an unknown name.
        WeightsError: its weights are not on this machine; for `auto`, those of neither network.
    """
    if name not in NETWORKS:
        raise ConfigError(f"perceptual: got '{name}', expected one of {', '.join(NETWORKS)}.{closest(name, NETWORKS)}")
    if name == "none":
        return None
    first, *others = ("lpips", "stlpips") if name == "auto" else (name,)
    try:
        network: PerceptualNetwork = registry.get("features", first).load(device=device)
    except WeightsError:
        if not others:
            raise
        network = registry.get("features", others[0]).load(device=device)
    return network


class Comparison:
    """Compares pictures with those wanted, whose features are computed once."""

    def __init__(
        self, wanted: Tensor, masks: Tensor | None, network: PerceptualNetwork | None, *, scale: float = 1.0
    ) -> None:
        """Take the pictures wanted.

        Args:
            wanted: [N, C, H, W] in [-1, 1].
            masks: [N, 1, H, W] in [0, 1]; None: all counts.
            network: None: no perceptual term.
            scale: factor of the network's distance; see `calibration`.
        """
        self._wanted, self._masks, self._network, self._scale = masked(wanted, masks), masks, network, scale
        self._share = None if masks is None else masks.mean((1, 2, 3))  # [N]
        with torch.no_grad():
            self._features = None if network is None else network.features(fitted(self._wanted))

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the terms `pixel` and, with a network, `perceptual`, each [N]."""
        images = masked(images, self._masks)
        terms = {"pixel": (images - self._wanted).square().mean((1, 2, 3))}
        if self._network is not None and self._features is not None:
            terms["perceptual"] = self._scale * self._network.distance_to(self._features, fitted(images))
        return terms if self._share is None else {name: term / self._share for name, term in terms.items()}


def masked(images: Tensor, masks: Tensor | None) -> Tensor:
    """Return images [N, C, H, W], mid-grey where the mask [N, 1, H, W] is 0."""
    return images if masks is None else torch.where(masks > 0, images * masks.sqrt(), 0.0)


def fitted(images: Tensor) -> Tensor:
    """Return images [N, C, H, W] as RGB of a size that suits a perceptual network."""
    images, short = to_rgb(images), min(images.shape[2:])
    if short < SMALLEST:
        return F.interpolate(images, scale_factor=-(-SMALLEST // short), mode="nearest")
    factor = max(images.shape[2:]) // LARGEST
    return F.avg_pool2d(images, factor) if factor > 1 else images


@torch.no_grad()
def calibration(network: PerceptualNetwork | None, generator: Generator, c: Tensor | None = None) -> float:
    """Return the scale that makes the mean perceptual distance of unlike generated pictures their mean squared error.

    Args:
        network: None gives 1.
        generator: makes the pictures; its stored noise is used.
        c: label [1, c_dim] of a conditional generator.

    Raises:
        ConfigError: the generator makes the same picture from all seeds.
    """
    if network is None:
        return 1.0
    seeds = range(2 * NUM_PAIRS)
    label = None if c is None else c[0].tolist()
    images = torch.cat([generator.synthesis(generator.seed_to_ws(seed, label=label)) for seed in seeds])
    a, b = images[:NUM_PAIRS], images[NUM_PAIRS:]
    pixel = (a - b).square().mean().item()
    perceptual = network.distance(fitted(a), fitted(b)).mean().item()
    if not perceptual > 0:
        raise ConfigError(
            f"perceptual: '{network.name}' finds no difference between the pictures of seeds 0 to {2 * NUM_PAIRS - 1}, "
            "expected some; the generator makes one picture only: use another snapshot"
        )
    return pixel / perceptual


def stamp(network: PerceptualNetwork | None, scale: float) -> dict[str, str | float]:
    """Return what tells the perceptual term apart, as plain values."""
    if network is None:
        return {"network": "none"}
    return {"network": network.name, "sha256": network.sha256, "scale": scale}


def weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum [N] of terms times their weights."""
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
