"""The perceptual loss of the encoder: a network that sees, and the factor that makes its distance a pixel loss.

Source: IDInvert paper, Equation 2 (distance of VGG features).

The paper's weight of 5e-5 belongs to the features of one port of VGG16, for pictures of 0 to 255; it means nothing for
another network. Here every distance is scaled to the pixel loss instead: over `reference pairs` the scaled distance has
the mean of the pixel loss, so a weight of 1 says `as much as the pixels` whatever the network. Reference pairs are
pictures of the embedded data set, 64 pixels, each with itself reduced to a quarter (means of 4 x 4 pixels) and enlarged
again (bilinear): as blurred as the reconstructions of a young encoder.

Deviations:
- The features are those of a learned perceptual distance over five layers (or lite0's pooled ones), not block4_conv3.
- Small pictures are enlarged by repeating pixels up to `SMALLEST` a side, the official ones of any size to 256.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner import registry
from limner.config import Resolution
from limner.errors import WeightsError
from limner.features.base import FeatureNetwork, to_rgb

SCALES = {"stlpips": 0.068, "lpips": 0.068, "lite0": 0.159}
"""Perceptual network -> mean pixel loss of the reference pairs over their mean distance. Measured for `stlpips` and
`lite0`; `lpips` takes that of `stlpips`, whose features and heads are made alike."""
SMALLEST = 32
"""Least side of pictures that networks see, pixels."""


class Perceptual:
    """A perceptual distance on the scale of the pixel loss.

    Args:
        name: key of `SCALES`.
        resolution: of the pictures.
        device: where to compute.

    Raises:
        WeightsError: the weights of the network are not here; the message names what works without.
    """

    def __init__(self, name: str, resolution: Resolution, device: torch.device) -> None:
        try:
            self.network = registry.get("features", name).load(device=device)
        except WeightsError as error:
            others = " or ".join(f"--set objective.perceptual={other}" for other in ("lite0", "none") if other != name)
            raise WeightsError(f"objective.perceptual '{name}': {error}; or train an encoder with {others}") from None
        self.name, self.scale = name, SCALES[name]
        self.enlargement = -(-SMALLEST // min(resolution))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what pictures [N, C, H, W] in [-1, 1] are compared by; sums of squared differences are distances."""
        rgb = to_rgb(images)
        if self.enlargement > 1:
            rgb = rgb.repeat_interleave(self.enlargement, 2).repeat_interleave(self.enlargement, 3)
        if not isinstance(self.network, FeatureNetwork):
            return self.network.features(rgb)
        vectors = self.network.extract((rgb + 1) * 127.5)["pool"]  # [N, D]
        return [vectors / vectors.shape[1] ** 0.5]

    def loss(self, cached: list[Tensor], images: Tensor) -> Tensor:
        """Return the mean scaled distance [] of `images` to the pictures whose `features` are given."""
        pairs = zip(cached, self.features(images), strict=True)
        distances = [(y - x).square().flatten(1).sum(1) for x, y in pairs]  # [layers][N]
        return torch.stack(distances).sum(0).mean() * self.scale
