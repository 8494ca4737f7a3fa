"""The random numbers an augmentation asks for, and the pictures it accepts."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from limner.errors import ShapeError


class Draws(Protocol):
    """Random numbers for N pictures; sample i's numbers do not depend on how the batch is split."""

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), [N, *shape]."""

    def randn(self, *shape: int) -> Tensor:
        """Standard normal numbers, [N, *shape]."""


def check_pictures(images: Tensor) -> None:
    """Raise `ShapeError` unless `images` is [N, C, H, W] with 1 to 4 channels and sides of at least 2 pixels."""
    if images.ndim != 4 or not 1 <= images.shape[1] <= 4 or min(images.shape[2:]) < 2:
        raise ShapeError(
            f"augmentation expects pictures of [N, 1 to 4, H >= 2, W >= 2], got {list(images.shape)}; "
            "train with --augment none, or on pictures of that shape"
        )


def num_colors(images: Tensor) -> int:
    """Return how many leading channels of [N, C, H, W] carry colour: 1 of grey (+ alpha), 3 of RGB (+ alpha)."""
    return 1 if images.shape[1] <= 2 else 3
