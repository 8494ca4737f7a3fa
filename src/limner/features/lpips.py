"""LPIPS 0.1, the perceptual distance of path length and projection, on VGG16.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018), Section 3.1 and
equation 1: activations of five layers, scaled to unit length at every place; squared differences, weighted per channel,
averaged over places and summed over layers. The weights are ImageNet's VGG16 (torchvision's file) and the heads of
version 0.1 (BSD-2, shipped by the package `lpips`). Pictures in [-1, 1] are shifted and scaled per channel first.

Deviations:
- A place where no channel is active has the gradient zero, not NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from limner.errors import ShapeError
from limner.features import graph
from limner.features.base import RANDOM, PerceptualNetwork
from limner.features.vgg import SMALLEST, WIDTHS, Trunk, random_state
from limner.features.weights import locate, read_state

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation, of pictures in [-1, 1]."""
LENGTH_EPS = 1e-10
"""Added to the length activations are divided by."""


class LearnedDistance(PerceptualNetwork):
    """A trunk with heads: weights [C] of the squared differences of each of its five layers."""

    def __init__(self, name: str, sha256: str, trunk: Trunk, smallest: int) -> None:
        super().__init__()
        self.name, self.sha256, self.smallest = name, sha256, smallest
        self.trunk = trunk
        for index, width in enumerate(WIDTHS):
            self.register_buffer(f"head{index}", torch.empty(width, device="meta"))
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)

    def extract(self, images: Tensor) -> list[Tensor]:
        """See `PerceptualNetwork.extract`."""
        if min(images.shape[2:]) < self.smallest:
            raise ShapeError(
                f"{self.name}: got pictures of {images.shape[3]}x{images.shape[2]} px, expected both sides of at least "
                f"{self.smallest} px; enlarge them first"
            )
        x = (images.to(self.shift.dtype) - self.shift) / self.scale
        layers = []
        for index, tap in enumerate(self.trunk(x.contiguous(memory_format=torch.channels_last))):
            length = tap.square().sum(1, keepdim=True).clamp(min=LENGTH_EPS**2).sqrt()  # [N, 1, h, w]
            weight = (self.get_buffer(f"head{index}") / math.prod(tap.shape[2:])).sqrt()  # [C]
            layers.append(tap / (length + LENGTH_EPS) * weight[:, None, None])
        return layers


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> LearnedDistance:
    """Return LPIPS with its published weights.

    Args:
        weights: a folder that holds both files, or the file of VGG16; None: where `weights.locate` finds them.
        device: where the network goes.

    Raises:
        WeightsError: a file is missing or another one.
    """
    is_folder = weights is not None and Path(weights).expanduser().is_dir()
    trunk, heads = locate("vgg16", weights), locate("lpips_vgg", weights if is_folder else None)
    state = {name: value for name, value in read_state(trunk.path).items() if name.startswith("features.")}
    return build({**state, **read_state(heads.path)}, f"{trunk.sha256}+{heads.sha256}", device)


def random(seed: int) -> LearnedDistance:
    """Return the distance with random weights, on the CPU."""
    state = random_state(Trunk(), seed)
    return build({**state, **random_heads(seed)}, RANDOM, "cpu")


def random_heads(seed: int) -> dict[str, Tensor]:
    """Return random heads under the names of the file."""
    stream = torch.Generator().manual_seed(seed)
    return {
        f"lin{index}.model.1.weight": torch.rand(1, width, 1, 1, generator=stream) for index, width in enumerate(WIDTHS)
    }


def build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> LearnedDistance:
    """Return LPIPS with the tensors of `state`, under the names of torchvision and of the heads' file."""
    network = LearnedDistance("lpips", sha256, Trunk(), SMALLEST)
    return graph.frozen(network, named_tensors(state), device)


def named_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of a trunk and of heads under the names they have in `LearnedDistance`."""
    named = {}
    for name, value in state.items():
        if name.startswith("features."):
            named[f"trunk.{name}"] = value
        else:
            named[f"head{name[len('lin')]}"] = value.flatten()  # [1, C, 1, 1] -> [C]
    return named
