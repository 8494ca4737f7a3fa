"""ST-LPIPS, a perceptual distance that small shifts hardly change; the one that works offline.

Source: Ghildyal & Liu, "Shift-tolerant Perceptual Similarity Metric" (2022): LPIPS (see `limner.features.lpips`) on a
VGG16 trained with it, in which sizes are halved without aliasing: a maximum over 2 x 2 pixels at every place, then the
binomial filter (1 2 1)/4 both ways at every other place, over a border of two mirrored pixels. Weights: the file of the
package `stlpips-pytorch`. Its values do not compare with those of LPIPS.

Deviations:
- A place where no channel is active has the gradient zero, not NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.features import graph
from limner.features.base import RANDOM
from limner.features.lpips import LearnedDistance, named_tensors, random_heads
from limner.features.vgg import STAGES, Trunk, random_state
from limner.features.weights import locate, read_state

SMALLEST = 18
"""Least side, pixels: the last halving still has a border to mirror."""


class BlurredTrunk(Trunk):
    """The thirteen convolutions, halving without aliasing."""

    def __init__(self) -> None:
        super().__init__()
        binomial = torch.tensor([0.25, 0.5, 0.25])
        self.kernel: Tensor
        self.register_buffer("kernel", binomial[:, None] * binomial, persistent=False)

    def shrink(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] to [N, C, H // 2 + 1, W // 2 + 1]."""
        channels = x.shape[1]
        x = F.pad(F.max_pool2d(x, 2, stride=1), (2, 2, 2, 2), mode="reflect")  # [N, C, H + 3, W + 3]
        return F.conv2d(x, self.kernel.expand(channels, 1, 3, 3), stride=2, groups=channels)


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> LearnedDistance:
    """Return ST-LPIPS with its published weights.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("stlpips", weights)
    return build(_renamed(read_state(file.path)), file.sha256, device)


def random(seed: int) -> LearnedDistance:
    """Return the distance with random weights, on the CPU."""
    return build({**random_state(Trunk(), seed), **random_heads(seed)}, RANDOM, "cpu")


def build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> LearnedDistance:
    """Return ST-LPIPS with the tensors of `state`, under the names of torchvision and of LPIPS' heads."""
    network = LearnedDistance("stlpips", sha256, BlurredTrunk(), SMALLEST)
    return graph.frozen(network, named_tensors(state), device)


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the convolutions, which the file counts with the filters between them, torchvision's names."""
    places = iter([place for stage in STAGES for place in stage])
    renamed = {}
    for name, value in state.items():
        if name.startswith("lin"):
            renamed[name] = value
        elif name.endswith(".weight"):
            renamed[f"features.{(place := next(places))}.weight"] = value
            renamed[f"features.{place}.bias"] = state[name.removesuffix("weight") + "bias"]
    return renamed
