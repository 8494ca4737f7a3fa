"""The contract of a metric.

A metric is a file of this folder that exports `METRICS`, a mapping from protocol name to `Metric`. The name fixes the
protocol (counts, preprocessing, constants) and begins with the file's name: `swd` and `swd2k` live in `swd.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from limner.config import Resolution


class Collector(Protocol):
    """Takes in the pictures of one set, a batch at a time, and keeps what the metric needs of them."""

    def add(self, images: Tensor) -> None:
        """Take in images [N, C, H, W] uint8. What is kept does not depend on how the pictures are batched."""


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A distance between two sets of pictures, with everything that decides its value."""

    name: str
    """Protocol name; also the key of the headline value in what `compute` returns."""
    num_real: int
    """Pictures taken from the data set."""
    num_generated: int
    """Pictures taken from the generator."""
    lower_is_better: bool = True
    """Direction of the headline value."""

    @abstractmethod
    def collector(self, resolution: Resolution, channels: int, num_images: int, seed: int) -> Collector:
        """Return an empty collector for `num_images` pictures of one size.

        Raises:
            ShapeError: the metric is not defined for this size.
        """

    @abstractmethod
    def compute(self, real: Any, generated: Any, seed: int) -> dict[str, float]:
        """Compare two full collectors of this metric.

        Returns:
            The headline value under `name`, first; details under `name/detail`.
        """
