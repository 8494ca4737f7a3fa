"""The classifier: the discriminator of ProGAN without minibatch statistics, a logit for each attribute.

Source: StyleGAN paper, Section 4.2 (an auxiliary network for each attribute, of the architecture of the discriminator);
ProGAN paper, Appendix A, Table 2 (layers), with the fused halving of the official networks. The minibatch standard
deviation is left out: what a picture shows does not depend on its neighbours in a batch.

Deviations:
- One network may see all attributes at once (`shared`), which costs a fraction of one each.
- A resolution may be any `base_grid` times a power of two, so pictures need not be square.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.papers import base


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """Settings of the classifier."""

    img_resolution: Resolution = (256, 256)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    c_dim: int = 0
    """Length of a label vector of the data."""
    attributes: dict[str, int] = field(default_factory=dict)
    """What is learned: attribute -> its place in a label vector; empty before data are named."""
    shared: bool = True
    """One network for all attributes; False: one for each (StyleGAN paper)."""
    channel_base: int = 16384
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "channel_base", "channel_max"), ">= 1")
        places = f">= 0, < {self.c_dim}"
        check_limits(self, "classifier", **sizes, c_dim=">= 0", img_channels=">= 1, <= 4", attributes=places)

    def num_channels(self, level: int) -> int:
        """Channels at block `level`; 0 is the base grid."""
        return max(min(self.channel_base // (4 * 2**level), self.channel_max), 1)


class ClassifierLayer(EqualizedConv2d):
    """3x3 convolution and leaky ReLU, with a halving in between where asked for."""

    def __init__(self, in_channels: int, out_channels: int, *, is_halving: bool = False) -> None:
        super().__init__(in_channels, out_channels, 3, down=2 if is_halving else 1, bias_scaled=False, resample="box")


class ClassifierBlock(nn.Module):
    """The layers of one resolution, ending in a halving."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = ClassifierLayer(channels, channels)
        self.conv1 = ClassifierLayer(channels, out_channels, is_halving=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, I, H, W] to [N, O, H / 2, W / 2]."""
        return self.conv1(self.conv0(x))


class ClassifierNetwork(nn.Module):
    """A picture to `num_logits` numbers."""

    def __init__(self, config: ClassifierConfig, num_logits: int) -> None:
        super().__init__()
        base_h, base_w, num_doublings = base_grid(config.img_resolution)
        levels = range(num_doublings, 0, -1)
        self.blocks = [f"b{4 * 2**level}" for level in levels]
        self.fromrgb = EqualizedConv2d(config.img_channels, config.num_channels(num_doublings), 1, bias_scaled=False)
        for name, level in zip(self.blocks, levels, strict=True):
            self.add_module(name, ClassifierBlock(config.num_channels(level), config.num_channels(level - 1)))
        channels = config.num_channels(0)
        self.conv = ClassifierLayer(channels, channels)
        self.fc = EqualizedLinear(channels * base_h * base_w, channels, activate=True, bias_scaled=False)
        self.out = EqualizedLinear(channels, num_logits)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] to [N, num_logits]."""
        x = self.fromrgb(images.contiguous(memory_format=torch.channels_last))
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        x = self.conv(x)  # [N, channels, h, w]
        return self.out(self.fc(x.flatten(1)))


class Classifier(base.Classifier):
    """Pictures to a logit for each attribute."""

    def __init__(self, config: ClassifierConfig) -> None:
        """Build the networks.

        Raises:
            ConfigError: no attribute, or a resolution that no network can be built for.
        """
        super().__init__()
        if not config.attributes:
            raise ConfigError(
                "classifier.attributes: got none, expected at least one; name pictures that carry labels with --data"
            )
        self.config, self.attributes = config, tuple(config.attributes)
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        count = len(self.attributes)
        sizes = [count] if config.shared else [1] * count
        self.networks = nn.ModuleList(ClassifierNetwork(config, size) for size in sizes)

    def forward(self, images: Tensor) -> Tensor:
        """See `base.Classifier.forward`."""
        expected = (self.img_channels, *self.img_resolution)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ShapeError(
                f"classifier expects pictures of [N, {', '.join(map(str, expected))}], got {list(images.shape)}"
            )
        return torch.cat([network(images) for network in self.networks], 1)  # [N, A]

    def targets(self, c: Tensor) -> Tensor:
        """See `base.Classifier.targets`; an entry above 0 means that a picture has the attribute."""
        return (c[:, list(self.config.attributes.values())] > 0).to(c.dtype)
