"""VGG16: its trunk for perceptual distances, and its fully connected features for precision and recall.

Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015), Table 1,
column D. Names of tensors are torchvision's, whose file `vgg16-397923af.pth` is read as it is. Precision and recall
(Kynkaanniemi et al. 2019) compare the second fully connected layer after its ReLU. Preprocessing as torch-fidelity's:
`tf1_bilinear` to 224 pixels, then ImageNet's mean and standard deviation per channel.

Deviations:
- The official precision and recall read another port of the weights, whose values can differ slightly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.features import graph
from limner.features.base import RANDOM, FeatureNetwork
from limner.features.resize import TF1_BILINEAR, tf1_bilinear
from limner.features.weights import locate, read_state

SIZE = 224
"""Side the fully connected layers need, pixels."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of pictures in [0, 1]."""
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Places of the convolutions in torchvision's list of layers; between the stages the size is halved."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the stages."""
SMALLEST = 16
"""Least side, pixels: one pixel is left in the last stage."""


class Trunk(nn.Module):
    """The thirteen convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict()
        channels = 3
        for width, places in zip(WIDTHS, STAGES, strict=True):
            for place in places:
                self.features[str(place)] = nn.Conv2d(channels, width, 3, padding=1, device="meta")
                channels = width

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the last activations of every stage: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.

        Args:
            x: normalised pictures [N, 3, H, W], at least `SMALLEST` pixels a side.

        Returns:
            Five maps [N, WIDTHS[i], H / 2^i, W / 2^i].
        """
        taps: list[Tensor] = []
        for index, places in enumerate(STAGES):
            x = self.shrink(x) if index else x
            for place in places:
                x = F.relu_(self.features[str(place)](x))
            taps.append(x)
        return taps

    def shrink(self, x: Tensor) -> Tensor:
        """Halve the size of x [N, C, H, W]."""
        return F.max_pool2d(x, 2)


class VGG16(FeatureNetwork):
    """Bytes to the activations of the second fully connected layer."""

    name = "vgg16"
    dims = MappingProxyType({"fc": 4096})
    resize = f"{TF1_BILINEAR} to {SIZE}x{SIZE}"

    def __init__(self, sha256: str) -> None:
        super().__init__()
        self.sha256 = sha256
        self.trunk = Trunk()
        self.classifier = nn.ModuleDict(
            {"0": nn.Linear(512 * 7 * 7, 4096, device="meta"), "3": nn.Linear(4096, 4096, device="meta")}
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD)[:, None, None], persistent=False)

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """See `FeatureNetwork.extract`."""
        x = (tf1_bilinear(images, SIZE) - self.mean) / self.std  # [N, 3, 224, 224]
        x = self.trunk(x.contiguous(memory_format=torch.channels_last))[-1]  # [N, 512, 14, 14]
        x = F.max_pool2d(x, 2).flatten(1)  # [N, 512 * 7 * 7]
        x = F.relu_(self.classifier["0"](x))  # [N, 4096]
        return {"fc": F.relu_(self.classifier["3"](x))}


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> VGG16:
    """Return the network with torchvision's ImageNet weights.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("vgg16", weights)
    state = read_state(file.path)
    del state["classifier.6.weight"], state["classifier.6.bias"]  # the classes
    return build(state, file.sha256, device)


def random(seed: int) -> VGG16:
    """Return the network with random weights, on the CPU; it takes 0.5 GB."""
    return build(random_state(VGG16(RANDOM), seed), RANDOM, "cpu")


def random_state(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Return random tensors under torchvision's names for the layers that `network` has."""
    state = graph.random_state(network, {}, seed)
    return {name.removeprefix("trunk."): value for name, value in state.items()}


def build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> VGG16:
    """Return the network with the tensors of `state`, which has torchvision's names."""
    named = {f"trunk.{name}" if name.startswith("features.") else name: value for name, value in state.items()}
    return graph.frozen(VGG16(sha256), named, device)
