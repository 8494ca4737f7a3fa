"""The Inception network of 2015-12-05, which FID, KID, Inception Score and sFID are defined in.

Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), as trained by Google in the
graph `classify_image_graph_def.pb` and used by Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017).
Names of tensors are those of torch-fidelity and pytorch-fid, whose file `weights-inception-2015-12-05-6726825d.pth`
(Apache-2.0) is read as it is. What differs from the published architecture: 1008 classes, average pools that leave
padding out of the mean, a maximum pool in the last block. Pictures go in as bytes, are resized with `tf1_bilinear` and
become (x - 128) / 128.

Outputs: `pool`, the averages of the last maps; `logits_unbiased`, class scores without the bias (Inception Score);
`spatial`, seven channels of a middle block at every place (sFID: Nash et al., "Generating Images with Sparse
Representations", 2021).

Deviations:
- Batch normalisation is folded into the convolutions, and the 1x1 convolution after an average pool comes before it
  (both are linear): equal up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.features import graph
from limner.features.base import RANDOM, FeatureNetwork
from limner.features.resize import TF1_BILINEAR, tf1_bilinear
from limner.features.weights import locate, read_state

SIZE = 299
"""Side the network works at, pixels."""
BN_EPS = 1e-3
SPATIAL_CHANNELS = 7
"""First channels of `Mixed_6d` that sFID compares, at 17 x 17 places."""

Kernel = tuple[int, int]
Step = tuple[int, *tuple[Kernel, ...]]
"""Channels and kernel of a convolution; two kernels: two convolutions side by side."""
K1, K3, K5 = (1, 1), (3, 3), (5, 5)
K13, K31, K17, K71 = (1, 3), (3, 1), (1, 7), (7, 1)


class Convolution(nn.Conv2d):
    """Convolution with bias and ReLU; keeps the size unless it is strided or `valid`."""

    def __init__(self, channels: int, width: int, kernel: Kernel, stride: int = 1, *, valid: bool = False) -> None:
        padding = (0, 0) if valid or stride > 1 else (kernel[0] // 2, kernel[1] // 2)
        super().__init__(channels, width, kernel, stride, padding, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H', W']."""
        return F.relu_(super().forward(x))


class Fork(nn.Module):
    """Two convolutions side by side."""

    def __init__(self, a: Convolution, b: Convolution) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, 2 O, H, W]."""
        return torch.cat([self.a(x), self.b(x)], 1)


class Mixed(nn.Module):
    """A block of branches side by side, joined along the channels.

    `pool` says what stands around the one convolution of `branch_pool`. In a `reduce` block there is none: the last
    convolution of every branch halves the size, and a maximum pool of the input is joined to them.
    """

    branch_pool: Convolution

    def __init__(
        self, channels: int, pool: Literal["average", "maximum", "reduce"], branches: Mapping[str, list[Step]]
    ) -> None:
        super().__init__()
        self.pool, self.names = pool, [name for name in branches if name != "branch_pool"]
        for name, steps in branches.items():
            self.add_module(name, _chain(channels, steps, last_stride=2 if pool == "reduce" else 1))

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H', W']."""
        parts = [self.get_submodule(name)(x) for name in self.names]
        if self.pool == "reduce":
            parts.append(F.max_pool2d(x, 3, 2))
        elif self.pool == "maximum":
            parts.append(self.branch_pool(F.max_pool2d(x, 3, 1, 1)))
        else:
            projected = F.conv2d(x, self.branch_pool.weight, self.branch_pool.bias)
            parts.append(F.relu_(F.avg_pool2d(projected, 3, 1, 1, count_include_pad=False)))
        return torch.cat(parts, 1)


def _chain(channels: int, steps: list[Step], last_stride: int) -> nn.Module:
    layers: list[nn.Module] = []
    for index, (width, *kernels) in enumerate(steps, 1):
        stride = last_stride if index == len(steps) else 1
        convolutions = [Convolution(channels, width, kernel, stride) for kernel in kernels]
        layers.append(Fork(*convolutions) if len(convolutions) > 1 else convolutions[0])
        channels = width
    return nn.Sequential(*layers) if len(layers) > 1 else layers[0]


def _mixed_5(channels: int, pool_width: int) -> Mixed:
    """Block at 35 x 35."""
    branches: dict[str, list[Step]] = {
        "branch1x1": [(64, K1)],
        "branch5x5": [(48, K1), (64, K5)],
        "branch3x3dbl": [(64, K1), (96, K3), (96, K3)],
        "branch_pool": [(pool_width, K1)],
    }
    return Mixed(channels, "average", branches)


def _mixed_6(width: int) -> Mixed:
    """Block at 17 x 17 on 768 channels."""
    branches: dict[str, list[Step]] = {
        "branch1x1": [(192, K1)],
        "branch7x7": [(width, K1), (width, K17), (192, K71)],
        "branch7x7dbl": [(width, K1), (width, K71), (width, K17), (width, K71), (192, K17)],
        "branch_pool": [(192, K1)],
    }
    return Mixed(768, "average", branches)


def _mixed_7(channels: int, pool: Literal["average", "maximum"]) -> Mixed:
    """Block at 8 x 8."""
    branches: dict[str, list[Step]] = {
        "branch1x1": [(320, K1)],
        "branch3x3": [(384, K1), (384, K13, K31)],
        "branch3x3dbl": [(448, K1), (384, K3), (384, K13, K31)],
        "branch_pool": [(192, K1)],
    }
    return Mixed(channels, pool, branches)


REDUCE_6: dict[str, list[Step]] = {"branch3x3": [(384, K3)], "branch3x3dbl": [(64, K1), (96, K3), (96, K3)]}
REDUCE_7: dict[str, list[Step]] = {
    "branch3x3": [(192, K1), (320, K3)],
    "branch7x7x3": [(192, K1), (192, K17), (192, K71), (192, K3)],
}


class Inception(FeatureNetwork):
    """Bytes to pooled features, unbiased logits and spatial features."""

    name = "inception"
    dims = MappingProxyType({"pool": 2048, "logits_unbiased": 1008, "spatial": SPATIAL_CHANNELS * 17**2})
    resize = f"{TF1_BILINEAR} to {SIZE}x{SIZE}"

    def __init__(self, sha256: str) -> None:
        super().__init__()
        self.sha256 = sha256
        self.Conv2d_1a_3x3 = Convolution(3, 32, K3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, K3, valid=True)
        self.Conv2d_2b_3x3 = Convolution(32, 64, K3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, K1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, K3, valid=True)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _mixed_5(192, 32), _mixed_5(256, 64), _mixed_5(288, 64)
        self.Mixed_6a = Mixed(288, "reduce", REDUCE_6)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_mixed_6(width) for width in (128, 160, 160, 192))
        self.Mixed_7a = Mixed(768, "reduce", REDUCE_7)
        self.Mixed_7b, self.Mixed_7c = _mixed_7(1280, "average"), _mixed_7(2048, "maximum")
        self.fc = nn.Linear(2048, 1008, device="meta")

    def extract(self, images: Tensor) -> dict[str, Tensor]:
        """See `FeatureNetwork.extract`."""
        x = (tf1_bilinear(images, SIZE) - 128) / 128  # [N, 3, 299, 299]
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # [N, 64, 147, 147]
        x = F.max_pool2d(x, 3, 2)  # [N, 64, 73, 73]
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))  # [N, 192, 71, 71]
        x = F.max_pool2d(x, 3, 2)  # [N, 192, 35, 35]
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # [N, 288, 35, 35]
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x))))  # [N, 768, 17, 17]
        spatial = x[:, :SPATIAL_CHANNELS].flatten(1)  # [N, 7 * 17 * 17]
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(self.Mixed_6e(x))))  # [N, 2048, 8, 8]
        pool = x.mean((2, 3))  # [N, 2048]
        return {"pool": pool, "logits_unbiased": pool @ self.fc.weight.T, "spatial": spatial}


def load(*, weights: str | Path | None = None, device: torch.device | str = "cpu") -> Inception:
    """Return the network with the weights of 2015-12-05.

    Args:
        weights: the file; None: where `weights.locate` finds it.
        device: where the network goes.

    Raises:
        WeightsError: the file is missing or another one.
    """
    file = locate("inception", weights)
    return _build(read_state(file.path), file.sha256, device)


def random(seed: int) -> Inception:
    """Return the network with random weights, on the CPU."""
    return _build(random_state(seed), RANDOM, "cpu")


def random_state(seed: int) -> dict[str, Tensor]:
    """Return random tensors under the names of the weight file."""
    network = Inception(RANDOM)
    return graph.random_state(network, _pairs(network), seed)


def _build(state: Mapping[str, Tensor], sha256: str, device: torch.device | str) -> Inception:
    network = Inception(sha256)
    folded = graph.fold_batch_norms(state, _pairs(network), BN_EPS)
    return graph.frozen(network, {**folded, "fc.weight": state["fc.weight"], "fc.bias": state["fc.bias"]}, device)


def _pairs(network: nn.Module) -> dict[str, tuple[str, str]]:
    """Name of every convolution -> its names in the file: `Mixed_7b.branch3x3.1.a` is `Mixed_7b.branch3x3_2a` there."""
    pairs = {}
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            official = re.sub(r"\.(\d)", lambda match: f"_{int(match[1]) + 1}", name)
            official = re.sub(r"\.([ab])$", r"\1", official)
            pairs[name] = (f"{official}.conv", f"{official}.bn")
    return pairs
