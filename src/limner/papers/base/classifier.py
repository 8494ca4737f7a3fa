"""The contract of the networks that say what a picture shows."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from limner.config import Resolution
from limner.errors import ShapeError
from limner.ops.growing import downsample_box


class Classifier(nn.Module, ABC):
    """Pictures to attributes. All attributes are set by the subclass's constructor."""

    attributes: tuple[str, ...]
    """Names, in the order of the logits."""
    img_resolution: Resolution
    img_channels: int

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Classify pictures.

        Args:
            images: [N, C, H, W] in [-1, 1].

        Returns:
            logits: [N, A], above 0 where a picture has the attribute.

        Raises:
            ShapeError: pictures of another shape.
        """

    @abstractmethod
    def targets(self, c: Tensor) -> Tensor:
        """Return what the logits should say of pictures with label vectors c [N, c_dim]: 0 or 1, [N, A]."""

    def judge(self, images: Tensor) -> Tensor:
        """Classify pictures that may be larger by a whole factor, which are averaged over boxes first.

        Args:
            images: [N, C, H, W] in [-1, 1].

        Returns:
            logits: [N, A].

        Raises:
            ShapeError: pictures of another shape.
        """
        height, width = images.shape[-2:]
        self.check_pictures((height, width), images.shape[1])
        logits: Tensor = self(downsample_box(images, height // self.img_resolution[0]))
        return logits

    def check_pictures(self, resolution: Resolution, channels: int) -> None:
        """Raise `ShapeError` unless `judge` takes pictures of this size (height, width) and number of channels."""
        height, width = self.img_resolution
        factor = max(resolution[0] // height, 1)
        if resolution != (factor * height, factor * width) or channels != self.img_channels:
            raise ShapeError(
                f"the classifier expects pictures of {height}x{width} (height x width) with {self.img_channels} "
                f"channels, or larger by a whole factor, got {resolution[0]}x{resolution[1]} with {channels}; train "
                "one on such pictures: limner train --preset classifier-tiny --resolution SIDE --channels NUMBER"
            )
