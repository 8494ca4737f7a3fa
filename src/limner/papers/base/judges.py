"""The contracts of the networks that look at pictures: discriminators and encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from limner.config import Resolution
from limner.errors import ShapeError
from limner.papers.base.generator import CodeSpace, Generator


class Discriminator(nn.Module, ABC):
    """Pictures to logits."""

    c_dim: int
    img_resolution: Resolution
    img_channels: int
    uses_labels: bool = True
    """Whether labels change the logits; False where an auxiliary classifier predicts them instead."""

    @abstractmethod
    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        """Judge pictures.

        Args:
            images: [N, C, H >> floor(lod), W >> floor(lod)] in [-1, 1].
            c: labels [N, c_dim]; None only when `c_dim` is 0.
            lod: level of detail of a growing discriminator (see `ops.growing`).

        Returns:
            logits: [N, 1].

        Raises:
            ShapeError: pictures or labels of another shape.
            ConfigError: a level of detail that the discriminator does not have.
        """

    @abstractmethod
    def freezable_layers(self) -> list[nn.Module]:
        """Return the layers from the picture inwards, in the order Freeze-D counts them."""


class Encoder(nn.Module, ABC):
    """Pictures to latents of one generator. All attributes but `fingerprint` are set by the subclass's constructor."""

    space: CodeSpace
    z_dim: int
    w_dim: int
    num_ws: int
    img_resolution: Resolution
    img_channels: int
    fingerprint: str = ""
    """Which generator it was trained for (see `checkpoints.io.fingerprint`); set by who loads or trains it."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: [N, C, H, W] in [-1, 1], of the size of the generator's pictures.

        Returns:
            z [N, z_dim] where `space` is `z`, else ws [N, num_ws, w_dim], of equal rows where it is `w`.

        Raises:
            ShapeError: pictures of another shape.
        """

    @abstractmethod
    def start_from(self, G: Generator) -> None:
        """Take from a finished generator what the code starts from, once, before training."""

    def encode(self, images: Tensor, G: Generator, c: Tensor | None = None) -> Tensor:
        """Encode pictures [N, C, H, W] as ws [N, num_ws, w_dim] of `G`; c [N, c_dim] maps a z where G takes labels."""
        codes = self(images)
        return G.mapping(codes, c) if self.space == "z" else codes

    def check_generator(self, G: Generator) -> None:
        """Raise `ShapeError` unless the latents and pictures of `G` are of the shapes of this encoder's."""
        for name in ("z_dim", "w_dim", "num_ws", "img_resolution", "img_channels"):
            if getattr(self, name) != getattr(G, name):
                raise ShapeError(
                    f"the encoder has {name}={getattr(self, name)}, the generator {name}={getattr(G, name)}; use an "
                    "encoder with the generator it was trained for"
                )
