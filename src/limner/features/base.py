"""The contracts of the networks that see.

A module of this folder holds one network and exports `load(*, weights=None, device)`, which reads a weight file (found
as `weights` tells, never downloaded), and `random(seed)`, the same graph with seeded random weights, which no result
may be reported with. Both return a `FeatureNetwork` or a `PerceptualNetwork` in evaluation mode, frozen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from limner.errors import ShapeError

RANDOM = "random"
"""What stands for the checksum of a weight file when the weights are random."""


class FeatureNetwork(nn.Module, ABC):
    """Bytes to feature vectors, by output name. All attributes are set by the subclass."""

    name: str
    """Name of the network, for the stamp of a result."""
    sha256: str
    """Checksum of the weight file; `RANDOM` for random weights."""
    dims: Mapping[str, int]
    """Output name -> length of its vectors."""
    resize: str
    """How pictures get to the size the network works at."""
    expects_channels = 3

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return every output of every picture; no graph is built.

        Args:
            images: [N, 3, H, W] uint8, RGB, any size, on the network's device; see `to_rgb_bytes`.

        Returns:
            Output name -> [N, dims[name]] float32.

        Raises:
            ShapeError: not bytes, or not of that shape.
        """
        _check(images, self.name)
        if images.dtype != torch.uint8:
            raise ShapeError(f"{self.name}: got pictures of {images.dtype}, expected bytes (torch.uint8, 0 to 255)")
        with torch.no_grad():
            return self.extract(images)

    @abstractmethod
    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """Do the work of `forward` on images [N, 3, H, W] uint8 that were checked."""


class PerceptualNetwork(nn.Module, ABC):
    """A distance between pictures that follows what people see, differentiable in both."""

    name: str
    """Name of the distance, for the stamp of a result."""
    sha256: str
    """Checksum of the weight files, joined by `+`; `RANDOM` for random weights."""
    expects_channels = 3

    def features(self, images: Tensor) -> list[Tensor]:
        """Return maps whose squared differences, summed over everything but the batch, are the distance.

        Args:
            images: [N, 3, H, W] float, RGB in [-1, 1], on the network's device; see `to_rgb`.

        Returns:
            One map [N, C, h, w] a layer.

        Raises:
            ShapeError: not floats, not of that shape, or too small for the network.
        """
        _check(images, self.name)
        if not images.is_floating_point():
            raise ShapeError(f"{self.name}: got pictures of {images.dtype}, expected floats in [-1, 1]")
        return self.extract(images)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distances [N] of images a and b, both as `features` takes them."""
        return self.distance_to(self.features(a), b)

    def distance_to(self, cached: Sequence[Tensor], b: Tensor) -> Tensor:
        """Return the distances [N] of images b to the pictures whose `features` are given.

        One given picture serves for all of b.
        """
        pairs = zip(cached, self.features(b), strict=True)
        return torch.stack([(y - x).square().sum((1, 2, 3)) for x, y in pairs]).sum(0)  # [layers, N] -> [N]

    @abstractmethod
    def extract(self, images: Tensor) -> list[Tensor]:
        """Do the work of `features` on images [N, 3, H, W] that were checked."""


def to_rgb_bytes(images: Tensor) -> Tensor:
    """Return pictures as RGB: grey is repeated, transparent parts show white.

    Args:
        images: [N, C, H, W] uint8, C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).

    Returns:
        [N, 3, H, W] uint8; RGB pictures are returned themselves.

    Raises:
        ShapeError: another number of channels or axes.
    """
    color, alpha = _split(images)
    if alpha is not None:
        opaque = color.int() * alpha + 255 * (255 - alpha.int())  # at most 255 * 255
        color = ((opaque + 127) // 255).byte()
    return color.expand(-1, 3, -1, -1)


def to_rgb(images: Tensor) -> Tensor:
    """Return float pictures as RGB, differentiably: grey is repeated, transparent parts show white.

    Args:
        images: [N, C, H, W] float in [-1, 1], C as for `to_rgb_bytes`; alpha -1 is transparent.

    Returns:
        [N, 3, H, W] float in [-1, 1].

    Raises:
        ShapeError: another number of channels or axes.
    """
    color, alpha = _split(images)
    if alpha is not None:
        color = 1 + (color - 1) * (alpha + 1) / 2
    return color.expand(-1, 3, -1, -1)


def _split(images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Split images [N, C, H, W] into colour [N, 1 or 3, H, W] and, where there is one, alpha [N, 1, H, W]."""
    if images.ndim != 4 or not 1 <= images.shape[1] <= 4:
        raise ShapeError(
            f"pictures: got a tensor of {list(images.shape)}, expected [N, C, H, W] with C = 1 (grey), 2 (+ alpha), "
            "3 (RGB) or 4 (RGBA)"
        )
    if images.shape[1] % 2:
        return images, None
    return images[:, :-1], images[:, -1:]


def _check(images: Tensor, name: str) -> None:
    if images.ndim != 4 or images.shape[1] != 3:
        raise ShapeError(
            f"{name} expects pictures of [N, 3, H, W], got {list(images.shape)}; features.base makes grey and "
            "transparent ones RGB"
        )
