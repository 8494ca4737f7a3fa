"""The growing discriminator of StyleGAN.

Source: StyleGAN paper, Section 2.1 and Appendix C (ProGAN's discriminator with bilinear filtering); ProGAN paper,
Section 2 with Figure 2 (growing) and Section 3 (minibatch standard deviation); a logit per class, of which the label
picks its own, as the official networks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import downsample_box, level_of
from limner.ops.minibatch_std import minibatch_std
from limner.papers import base
from limner.papers.stylegan.generator import num_channels


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Settings of the discriminator."""

    img_resolution: Resolution = (256, 256)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    c_dim: int = 0
    """Length of a label; 0: unconditional."""
    channel_base: int = 16384
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    blur: bool = True
    """Filter before downsampling (StyleGAN paper, Appendix C: bilinear)."""
    fused_scale: bool = True
    """Merge convolution and halving into one kernel; the logits are the same up to rounding."""
    mbstd_group: int | None = 4
    """Samples compared by minibatch standard deviation; None: the whole batch."""
    mbstd_features: int = 1
    """Maps it appends."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "channel_base", "channel_max", "mbstd_group"), ">= 1")
        counts = dict.fromkeys(("c_dim", "mbstd_features"), ">= 0")
        check_limits(self, "discriminator", **sizes, **counts, img_channels=">= 1, <= 4")


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution, ending in a halving, and the fromRGB of pictures at this resolution."""

    def __init__(self, config: DiscriminatorConfig, level: int) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, level)
        out_channels = num_channels(config.channel_base, config.channel_max, level - 1)
        self.fromrgb = EqualizedConv2d(config.img_channels, channels, 1, bias_scaled=False)
        self.conv0 = EqualizedConv2d(channels, channels, 3, bias_scaled=False)
        resample: Literal["box", "blurred_box"] = "blurred_box" if config.blur else "box"
        self.conv1 = EqualizedConv2d(
            channels, out_channels, 3, down=2, resample=resample, fused=config.fused_scale, bias_scaled=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, I, H, W] to [N, O, H / 2, W / 2]."""
        return self.conv1(self.conv0(x))


class DiscriminatorEpilogue(nn.Module):
    """Minibatch standard deviation, a convolution and two dense layers at the base grid."""

    def __init__(self, config: DiscriminatorConfig, grid: Resolution) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, 0)
        self.mbstd_group, self.mbstd_features = config.mbstd_group, config.mbstd_features
        if config.mbstd_features and channels % config.mbstd_features:
            raise ConfigError(
                f"discriminator.mbstd_features: got {config.mbstd_features}, expected a divisor of the {channels} "
                "channels at the base grid, or 0"
            )
        self.fromrgb = EqualizedConv2d(config.img_channels, channels, 1, bias_scaled=False)
        self.conv = EqualizedConv2d(channels + config.mbstd_features, channels, 3, bias_scaled=False)
        self.fc = EqualizedLinear(channels * grid[0] * grid[1], channels, activate=True, bias_scaled=False)
        self.out = EqualizedLinear(channels, max(config.c_dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, C, h, w] to [N, 1], or to a logit per class [N, c_dim]."""
        if self.mbstd_features:
            x = minibatch_std(x, self.mbstd_group, self.mbstd_features)
        x = self.conv(x)
        return self.out(self.fc(x.flatten(1)))


class Discriminator(base.Discriminator):
    """Pictures to logits."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config, self.c_dim = config, config.c_dim
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        base_h, base_w, self.num_doublings = base_grid(config.img_resolution)
        self.blocks = [f"b{4 * 2**level}" for level in range(self.num_doublings, 0, -1)]
        for level, name in zip(range(self.num_doublings, 0, -1), self.blocks, strict=True):
            self.add_module(name, DiscriminatorBlock(config, level))
        self.b4 = DiscriminatorEpilogue(config, (base_h, base_w))

    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        """See `base.Discriminator.forward`."""
        halvings = self.num_doublings - level_of(self.num_doublings, lod)
        self._check_shapes(images, c, halvings)
        images = images.contiguous(memory_format=torch.channels_last)
        names = [*self.blocks[halvings:], "b4"]
        x = self._fromrgb(names[0], images)
        for index, name in enumerate(names[:-1]):
            x = self.get_submodule(name)(x)
            if index == 0 and lod % 1:
                x = x.lerp(self._fromrgb(names[1], downsample_box(images)), lod % 1)
        logits = self.b4(x)  # [N, 1], or [N, c_dim] when conditional
        return logits if c is None or not self.c_dim else (logits * c.to(logits.dtype)).sum(1, keepdim=True)

    def freezable_layers(self) -> list[nn.Module]:
        """See `base.Discriminator.freezable_layers`."""
        return [layer for name in (*self.blocks, "b4") for layer in self.get_submodule(name).children()]

    def _fromrgb(self, block: str, images: Tensor) -> Tensor:
        return self.get_submodule(block).get_submodule("fromrgb")(images)

    def _check_shapes(self, images: Tensor, c: Tensor | None, halvings: int) -> None:
        height, width = self.img_resolution
        expected = (self.img_channels, height >> halvings, width >> halvings)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ShapeError(
                f"discriminator expects pictures of [N, {', '.join(map(str, expected))}], got {list(images.shape)}"
            )
        if self.c_dim and (c is None or c.shape != (images.shape[0], self.c_dim)):
            raise ShapeError(f"this discriminator is conditional: give labels c of [{images.shape[0]}, {self.c_dim}]")
