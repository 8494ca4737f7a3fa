"""Pictures and plain networks that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor, nn

VGG16_LAYERS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Channels of VGG16's convolutions; 0: pooling."""

Oracle = Callable[[str, str], ModuleType]
"""(package, module in it) -> the module; see the fixture `oracle`."""


def vgg16_layers() -> nn.Sequential:
    """VGG16's convolutional layers one after another, as its paper lists them; they have no tensors yet."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG16_LAYERS:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1, device="meta"), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def pictures(count: int, height: int, width: int) -> Tensor:
    """Smooth random colours with noise [count, 3, height, width], bytes."""
    stream = torch.Generator().manual_seed(1)
    small = torch.rand(count, 3, 5, 4, generator=stream)
    large = nn.functional.interpolate(small, (height, width), mode="bilinear")
    noisy = 255 * large + 20 * torch.randn(count, 3, height, width, generator=stream)
    return noisy.clamp(0, 255).byte()
