"""The discriminator of ProGAN: a picture at the resolution being trained to a score, and to a guess of its class.

Source: ProGAN paper, Section 2 and Figure 2 (growing), Section 3 (minibatch standard deviation), Appendix A, Table 2
(layers); the auxiliary classifier (AC-GAN, Odena et al. 2017) and the fused halving of the official networks; minibatch
discrimination (Salimans et al. 2016) and layer normalization for rows of Table 1; multiplicative noise, Appendix B.

Deviations:
- Layer normalization follows 3x3 convolutions alone and leaves their bias to its own.
- Minibatch discrimination sits before the last layer and compares the samples a process holds at once.
- A batch that the group of the minibatch standard deviation does not divide uses the largest smaller group that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.bias_act import LRELU_GAIN, leaky_relu
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import downsample_box, level_of
from limner.ops.minibatch_discrimination import MinibatchDiscrimination
from limner.ops.minibatch_std import minibatch_std
from limner.papers import base
from limner.papers.progan.generator import num_channels

LayerNoise = Callable[[Tensor], Tensor]
"""Disturb the input [N, C, ...] of a layer."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Settings of the discriminator."""

    img_resolution: Resolution = (1024, 1024)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    c_dim: int = 0
    """Length of a label, which an auxiliary classifier predicts; 0: unconditional."""
    channel_base: int = 16384
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    normalization: Literal["layer", "none"] = "none"
    """`layer` after 3x3 convolutions (ProGAN paper, Table 1, rows a to c)."""
    mbstd_group: int | None = 4
    """Samples compared by minibatch standard deviation; None: the whole batch."""
    mbstd_features: int = 1
    """Maps it appends; 0: no minibatch standard deviation (ProGAN paper, Table 1, rows a to e*)."""
    mbdisc_kernels: int = 0
    """Features of minibatch discrimination, 100 in row e* of Table 1; 0: none."""
    equalized: bool = True
    """Scale weights at run time (ProGAN paper, Section 4.1)."""
    fused_scale: bool = True
    """Halve in one step with the convolution, before the activation (official `v2` networks); False: after the
    activation (ProGAN paper, Table 2)."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "channel_base", "channel_max", "mbstd_group"), ">= 1")
        counts = dict.fromkeys(("c_dim", "mbstd_features", "mbdisc_kernels"), ">= 0")
        check_limits(self, "discriminator", **sizes, **counts, img_channels=">= 1, <= 4")


class DiscriminatorLayer(EqualizedConv2d):
    """3x3 convolution, layer normalization where used, leaky ReLU, halving where asked for."""

    def __init__(
        self, config: DiscriminatorConfig, in_channels: int, out_channels: int, *, is_halving: bool = False
    ) -> None:
        is_normalized = config.normalization == "layer"
        super().__init__(
            in_channels,
            out_channels,
            3,
            activate=not is_normalized,
            bias=not is_normalized,
            down=2 if is_halving and config.fused_scale else 1,
            gain=LRELU_GAIN if is_normalized else 1.0,
            bias_scaled=False,
            equalized=config.equalized,
            resample="box",
        )
        self.is_pooling = is_halving and not config.fused_scale
        self.norm = nn.GroupNorm(1, out_channels) if is_normalized else None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H, W], half as high and wide where it halves."""
        y = super().forward(x)
        y = y if self.norm is None else leaky_relu(self.norm(y))
        return downsample_box(y) if self.is_pooling else y


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution, ending in a halving."""

    def __init__(self, config: DiscriminatorConfig, level: int) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, level)
        out_channels = num_channels(config.channel_base, config.channel_max, level - 1)
        self.fromrgb = _fromrgb(config, channels)
        self.conv0 = DiscriminatorLayer(config, channels, channels)
        self.conv1 = DiscriminatorLayer(config, channels, out_channels, is_halving=True)

    def layers(self) -> list[nn.Module]:
        """From the picture inwards."""
        return [self.fromrgb, self.conv0, self.conv1]

    def forward(self, x: Tensor, noise: LayerNoise) -> Tensor:
        """Features [N, I, H, W] to [N, O, H / 2, W / 2]."""
        return self.conv1(noise(self.conv0(noise(x))))


class DiscriminatorEpilogue(nn.Module):
    """Statistics of the minibatch, a convolution and two dense layers at the base grid."""

    def __init__(self, config: DiscriminatorConfig, grid: Resolution) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, 0)
        self.mbstd_group, self.mbstd_features = config.mbstd_group, config.mbstd_features
        if config.mbstd_features and channels % config.mbstd_features:
            raise ConfigError(
                f"discriminator.mbstd_features: got {config.mbstd_features}, expected a divisor of the {channels} "
                "channels at the base grid, or 0"
            )
        self.fromrgb = _fromrgb(config, channels)
        self.conv = DiscriminatorLayer(config, channels + config.mbstd_features, channels)
        self.fc = EqualizedLinear(
            channels * grid[0] * grid[1], channels, activate=True, bias_scaled=False, equalized=config.equalized
        )
        self.mbdisc = MinibatchDiscrimination(channels, config.mbdisc_kernels) if config.mbdisc_kernels else None
        self.out = EqualizedLinear(channels + config.mbdisc_kernels, 1 + config.c_dim, equalized=config.equalized)

    def layers(self) -> list[nn.Module]:
        """From the picture inwards."""
        inner = [] if self.mbdisc is None else [self.mbdisc]
        return [self.fromrgb, self.conv, self.fc, *inner, self.out]

    def forward(self, x: Tensor, noise: LayerNoise) -> Tensor:
        """Features [N, C, h, w] to [N, 1 + c_dim]."""
        if self.mbstd_features:
            x = minibatch_std(x, self.mbstd_group, self.mbstd_features)
        x = self.conv(noise(x))
        x = self.fc(noise(x).flatten(1))  # [N, C]
        x = x if self.mbdisc is None else self.mbdisc(x)
        return self.out(noise(x))


def _fromrgb(config: DiscriminatorConfig, channels: int) -> EqualizedConv2d:
    """1x1 convolution from colours, with leaky ReLU."""
    return EqualizedConv2d(config.img_channels, channels, 1, bias_scaled=False, equalized=config.equalized)


class Discriminator(base.Discriminator):
    """Pictures to scores; labels are predicted, not read."""

    uses_labels = False

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config, self.c_dim = config, config.c_dim
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        base_h, base_w, self.num_doublings = base_grid(config.img_resolution)
        self.blocks = [f"b{4 * 2**level}" for level in range(self.num_doublings, -1, -1)]
        for level, name in zip(range(self.num_doublings, 0, -1), self.blocks, strict=False):
            self.add_module(name, DiscriminatorBlock(config, level))
        self.b4 = DiscriminatorEpilogue(config, (base_h, base_w))

    def freezable_layers(self) -> list[nn.Module]:
        """See `base.Discriminator.freezable_layers`; every block has its fromRGB."""
        return [layer for name in self.blocks for layer in self.block(name).layers()]

    def block(self, name: str) -> DiscriminatorBlock | DiscriminatorEpilogue:
        """The block called `name`, such as `b4`."""
        block = self.get_submodule(name)
        assert isinstance(block, DiscriminatorBlock | DiscriminatorEpilogue)
        return block

    def forward(self, images: Tensor, c: Tensor | None = None, *, lod: float = 0.0) -> Tensor:
        """See `base.Discriminator.forward`; labels are asked for, so that no caller forgets them, but not read."""
        if self.c_dim and (c is None or c.shape != (images.shape[0], self.c_dim)):
            raise ShapeError(f"this discriminator is conditional: give labels c of [{images.shape[0]}, {self.c_dim}]")
        return self.score_and_classes(images, lod=lod)[0]

    def score_and_classes(
        self, images: Tensor, *, lod: float = 0.0, noise: LayerNoise | None = None
    ) -> tuple[Tensor, Tensor]:
        """Judge pictures and guess their classes.

        Args:
            images: [N, C, H >> floor(lod), W >> floor(lod)] in [-1, 1].
            lod: level of detail.
            noise: disturbs the input of every layer but fromRGB (ProGAN paper, Appendix B); None: none.

        Returns:
            score [N, 1] and logits of the classes [N, c_dim].

        Raises:
            ShapeError: pictures of another shape.
            ConfigError: a level of detail that the discriminator does not have.
        """
        level = level_of(self.num_doublings, lod)
        below = self.num_doublings - level
        expected = (self.img_channels, *(side >> below for side in self.img_resolution))
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ShapeError(
                f"discriminator expects pictures of [N, {', '.join(map(str, expected))}], got {list(images.shape)}"
            )
        disturb = noise or (lambda x: x)
        images = images.contiguous(memory_format=torch.channels_last)
        finest, *coarser = [self.block(name) for name in self.blocks[below:]]
        x = finest(finest.fromrgb(images), disturb)
        if lod % 1:  # the coarser level, while the finest one fades in
            x = x.lerp(coarser[0].fromrgb(downsample_box(images)), lod % 1)
        for block in coarser:
            x = block(x, disturb)
        return x[:, :1], x[:, 1:]
