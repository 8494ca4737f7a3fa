"""The discriminator of StyleGAN2.

Source: StyleGAN2 paper, Section 4 and Figure 7 (architectures); ProGAN paper, Section 3 (minibatch standard deviation);
conditioning by projection as StyleGAN2-ADA's official networks do (mapped label, scalar product, 1/sqrt(width)). The
growing discriminator of Table 1, rows B to D, is `orig` with a fromRGB at every resolution, faded as in the ProGAN
paper, Figure 2.

Deviations:
- The factor 1/sqrt(2) of a residual sum is folded into its two branches.
- `conv_clamp` acts in half-precision layers only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import downsample_box, level_of
from limner.ops.minibatch_std import minibatch_std
from limner.ops.upfirdn2d import downsample2d, setup_filter
from limner.papers import base
from limner.papers.stylegan2.generator import Architecture, check_growing, check_lod, num_channels
from limner.papers.stylegan2.mapping import MappingNetwork


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Settings of the discriminator."""

    img_resolution: Resolution = (256, 256)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    c_dim: int = 0
    """Length of a label; 0: unconditional."""
    architecture: Architecture = "resnet"
    """StyleGAN2 paper, Figure 7."""
    growing: bool = False
    """Give every resolution its own fromRGB, so that training can grow (StyleGAN2 paper, Table 1, rows B to D)."""
    channel_base: int = 32768
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    mapping_layers: int = 8
    """Depth of the label's mapping network."""
    mbstd_group: int | None = 4
    """Samples compared by minibatch standard deviation; None: the whole batch."""
    mbstd_features: int = 1
    """Maps it appends."""
    num_fp16_res: int = 4
    """Highest resolutions computed in half precision on CUDA devices; 0: none."""
    conv_clamp: float = 256.0
    """Limit of activations in half-precision layers."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "channel_base", "channel_max", "mbstd_group"), ">= 1")
        counts = dict.fromkeys(("c_dim", "mapping_layers", "mbstd_features", "num_fp16_res"), ">= 0")
        check_limits(self, "discriminator", **sizes, **counts, img_channels=">= 1, <= 4", conv_clamp="> 0")
        check_growing(self, "discriminator")


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution, ending in a halving."""

    def __init__(self, config: DiscriminatorConfig, level: int, *, is_first: bool, use_fp16: bool) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, level)
        out_channels = num_channels(config.channel_base, config.channel_max, level - 1)
        self.architecture, self.use_fp16 = config.architecture, use_fp16
        clamp = config.conv_clamp
        if is_first or config.architecture == "skip" or config.growing:
            self.fromrgb = EqualizedConv2d(config.img_channels, channels, 1, clamp=clamp)
        self.conv0 = EqualizedConv2d(channels, channels, 3, clamp=clamp)
        gain = math.sqrt(0.5) if config.architecture == "resnet" else 1.0
        self.conv1 = EqualizedConv2d(channels, out_channels, 3, down=2, gain=gain, clamp=clamp)
        if config.architecture == "resnet":
            self.skip = EqualizedConv2d(channels, out_channels, 1, activate=False, bias=False, down=2, gain=gain)
        self.kernel: Tensor
        self.register_buffer("kernel", setup_filter(), persistent=False)

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Features [N, I, H, W] (None in the first block) and the picture at this resolution to the next ones."""
        given = x if x is not None else image
        assert given is not None
        dtype = torch.float16 if self.use_fp16 and given.device.type == "cuda" else self.conv0.weight.dtype
        if image is not None:
            features = self.fromrgb(image.to(dtype))
            x = features if x is None else x.to(dtype) + features
            image = downsample2d(image, self.kernel) if self.architecture == "skip" else None
        assert x is not None
        x = x.to(dtype)
        if self.architecture == "resnet":
            return self.skip(x).add_(self.conv1(self.conv0(x))), image
        return self.conv1(self.conv0(x)), image


class DiscriminatorEpilogue(nn.Module):
    """Minibatch standard deviation, a convolution and two dense layers at the base grid."""

    def __init__(self, config: DiscriminatorConfig, grid: Resolution, *, is_first: bool, out_features: int) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, 0)
        if is_first or config.architecture == "skip" or config.growing:
            self.fromrgb = EqualizedConv2d(config.img_channels, channels, 1)
        self.mbstd_group, self.mbstd_features = config.mbstd_group, config.mbstd_features
        if config.mbstd_features and channels % config.mbstd_features:
            raise ConfigError(
                f"discriminator.mbstd_features: got {config.mbstd_features}, expected a divisor of the {channels} "
                "channels at the base grid, or 0"
            )
        self.conv = EqualizedConv2d(channels + config.mbstd_features, channels, 3)
        self.fc = EqualizedLinear(channels * grid[0] * grid[1], channels, activate=True)
        self.out = EqualizedLinear(channels, out_features)

    def forward(self, x: Tensor | None, image: Tensor | None) -> Tensor:
        """Features [N, C, h, w] and, where used, the picture at the base grid to [N, out_features]."""
        if image is not None:
            features = self.fromrgb(image)
            x = features if x is None else x.to(features.dtype) + features
        assert x is not None
        x = x.to(self.conv.weight.dtype)
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
        base_h, base_w, num_doublings = base_grid(config.img_resolution)
        self.blocks = [f"b{4 * 2**level}" for level in range(num_doublings, 0, -1)]
        for level, name in zip(range(num_doublings, 0, -1), self.blocks, strict=True):
            is_first = level == num_doublings
            use_fp16 = num_doublings - level < config.num_fp16_res
            self.add_module(name, DiscriminatorBlock(config, level, is_first=is_first, use_fp16=use_fp16))
        width = num_channels(config.channel_base, config.channel_max, 0)
        if self.c_dim:
            self.mapping_network = MappingNetwork(
                z_dim=0, c_dim=self.c_dim, w_dim=width, num_layers=config.mapping_layers, lr_multiplier=0.01
            )
        self.b4 = DiscriminatorEpilogue(
            config, (base_h, base_w), is_first=num_doublings == 0, out_features=width if self.c_dim else 1
        )

    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        """See `base.Discriminator.forward`."""
        check_lod(lod, is_growing=self.config.growing, network="discriminator")
        first = len(self.blocks) - level_of(len(self.blocks), lod)  # index of the first block in use
        self._check_shapes(images, c, first)
        x = None
        image: Tensor | None = images.contiguous(memory_format=torch.channels_last)
        for index, name in enumerate(self.blocks[first:], first):
            x, image = self.get_submodule(name)(x, image)
            if index == first and lod % 1:
                assert x is not None
                x = self._fade(x, images, lod, coarser=(*self.blocks, "b4")[first + 1])
        logits = self.b4(x, image)  # [N, 1], or [N, width] when conditional
        if self.c_dim:
            label = self.mapping_network(None, None if c is None else c.to(logits.dtype))  # [N, width]
            logits = (logits * label).sum(1, keepdim=True) / math.sqrt(label.shape[1])
        return logits

    def freezable_layers(self) -> list[nn.Module]:
        """See `base.Discriminator.freezable_layers`."""
        order = ("fromrgb", "conv0", "conv1", "skip", "conv", "fc", "out")
        parts = [dict(self.get_submodule(name).named_children()) for name in (*self.blocks, "b4")]
        return [part[name] for part in parts for name in order if name in part]

    def _fade(self, x: Tensor, images: Tensor, lod: float, *, coarser: str) -> Tensor:
        """Blend features [N, O, H/2, W/2] with what block `coarser` sees in the halved pictures [N, C, H, W]."""
        fromrgb = self.get_submodule(coarser).get_submodule("fromrgb")
        return x.lerp(fromrgb(downsample_box(images).to(x.dtype)), lod % 1)

    def _check_shapes(self, images: Tensor, c: Tensor | None, halvings: int) -> None:
        height, width = self.img_resolution
        expected = (self.img_channels, height >> halvings, width >> halvings)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ShapeError(
                f"discriminator expects pictures of [N, {', '.join(map(str, expected))}], got {list(images.shape)}"
            )
        if self.c_dim and (c is None or c.shape != (images.shape[0], self.c_dim)):
            raise ShapeError(f"this discriminator is conditional: give labels c of [{images.shape[0]}, {self.c_dim}]")
