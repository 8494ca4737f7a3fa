"""The encoder of IDInvert: a residual network that halves a picture to the base grid, and one dense layer to the code.

Source: IDInvert paper, Section 3.1; layers, widths and initial weights of the official encoder of September 2020 (stem
of 5 x 5; activation before normalisation; blocks of two convolutions after a mean of 2 x 2 pixels; at most 512
channels). The official generator has its own w for every layer, which is the code here where `space` is `w+`.

Deviations:
- Convolutions in front of a normalisation in the shortcut have no bias: the normalisation has one.
- `norm` may be `group`, which does not depend on the batch; batch statistics are of one process, where the official
  ones are of all.
- The code may start from the average w (`from_average`), and may be a z or one w for all layers. Without the
  normalisation of the code, a step of Adam moves it by the learning rate times the number of features, hence the
  equalized layer.
- A resolution may be any `base_grid` times a power of two, so pictures need not be square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.equalized import EqualizedLinear
from limner.papers import base
from limner.papers.base import CodeSpace

SLOPE = 0.2
"""Slope of leaky ReLU below zero."""
INITIAL_STD = 0.02
"""Standard deviation of initial weights (official encoder)."""

Norm = Literal["batch", "group"]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Settings of the encoder."""

    img_resolution: Resolution = (256, 256)
    """Height and width of pictures, pixels: those of the generator."""
    img_channels: int = 3
    """Channels of pictures."""
    z_dim: int = 512
    """Length of the generator's z."""
    w_dim: int = 512
    """Length of the generator's w."""
    num_ws: int = 14
    """Layers of the generator that take a w."""
    space: CodeSpace = "w+"
    """Code: `w+`, a w for each layer (the paper's); `w`, one for all; `z`."""
    stem_kernel: int = 5
    """Side of the first convolution (official encoder of September 2020: 5; of April 2020: 3), odd."""
    norm_first: bool = False
    """Normalise before the activation, also in the shortcut (official encoder of April 2020), rather than after it."""
    channels: int = 64
    """Channels at full resolution; doubled at every halving."""
    channel_max: int = 512
    """Most channels of a layer (official encoder of September 2020: 512; of April 2020: 1024)."""
    head_channels: int | None = None
    """Channels that the last feature map is narrowed to (1 x 1 convolution) before the dense layer, which holds most of
    the parameters; None: it stays as wide as it is (official encoder)."""
    norm: Norm = "batch"
    """Normalisation after every activation: `batch`, for 16 pictures or more at once, or `group`, for any number."""
    group_size: int = 8
    """Channels normalised together where `norm` is `group`."""
    code_norm: bool = True
    """Normalise the code over the batch, with a scale and a shift that are learned (official encoder)."""
    from_average: bool = False
    """Code is the average w plus what the dense layer, of equalized learning rate, gives; that starts at zero."""

    def __post_init__(self) -> None:
        sizes = ("img_resolution", "z_dim", "w_dim", "num_ws", "channels", "channel_max", "head_channels", "group_size")
        if self.stem_kernel < 1 or self.stem_kernel % 2 == 0:
            raise ConfigError(
                f"encoder.stem_kernel: got {self.stem_kernel}, expected an odd number of pixels such as 5"
            )
        check_limits(self, "encoder", **dict.fromkeys(sizes, ">= 1"), img_channels=">= 1, <= 4")

    def num_channels(self, halvings: int) -> int:
        """Channels after a number of halvings."""
        return min(self.channels * 2**halvings, self.channel_max)


def norm_layer(config: EncoderConfig, channels: int) -> nn.Module:
    """Return the normalisation of a layer; groups are as large as `group_size`, or what divides the channels below."""
    if config.norm == "batch":
        return nn.BatchNorm2d(channels)  # decay 0.9, epsilon 1e-5, as in the official encoder
    size = math.gcd(channels, config.group_size)
    return nn.GroupNorm(channels // size, channels)


class EncoderLayer(nn.Module):
    """Convolution, leaky ReLU, normalisation; or convolution, normalisation, leaky ReLU."""

    def __init__(self, config: EncoderConfig, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.norm = norm_layer(config, out_channels)
        self.norm_first = config.norm_first

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H, W]."""
        if self.norm_first:
            return F.leaky_relu(self.norm(self.conv(x)), SLOPE)
        return self.norm(F.leaky_relu(self.conv(x), SLOPE))


class EncoderBlock(nn.Module):
    """A mean of 2 x 2 pixels and a residual block; nothing follows the sum."""

    def __init__(self, config: EncoderConfig, in_channels: int, out_channels: int) -> None:
        super().__init__()
        hidden = min(in_channels, out_channels)
        self.conv0 = EncoderLayer(config, in_channels, hidden, 3)
        self.conv1 = EncoderLayer(config, hidden, out_channels, 3)
        self.skip = nn.Sequential()
        if in_channels != out_channels:
            self.skip.append(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.skip.append(norm_layer(config, out_channels))
            if config.norm_first:
                self.skip.append(nn.LeakyReLU(SLOPE))

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H / 2, W / 2]."""
        x = F.avg_pool2d(x, 2)  # [N, I, H / 2, W / 2]
        return self.skip(x) + self.conv1(self.conv0(x))


class Encoder(base.Encoder):
    """Pictures to codes."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config, self.space = config, config.space
        self.z_dim, self.w_dim, self.num_ws = config.z_dim, config.w_dim, config.num_ws
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        base_h, base_w, num_doublings = base_grid(config.img_resolution)
        self.stem = EncoderLayer(config, config.img_channels, config.num_channels(0), config.stem_kernel)
        self.blocks = nn.Sequential()
        for halvings in range(1, num_doublings + 1):
            widths = config.num_channels(halvings - 1), config.num_channels(halvings)
            self.blocks.append(EncoderBlock(config, *widths))
        self.code_shape = (
            config.num_ws if self.space == "w+" else 1,
            config.z_dim if self.space == "z" else config.w_dim,
        )
        num_values = math.prod(self.code_shape)
        num_channels = config.num_channels(num_doublings)
        self.narrow = nn.Sequential()
        if config.head_channels is not None:
            self.narrow.append(nn.Conv2d(num_channels, config.head_channels, 1))
            num_channels = config.head_channels
        num_features = num_channels * base_h * base_w
        self.head = (EqualizedLinear if config.from_average else nn.Linear)(num_features, num_values)
        self.code_norm = nn.BatchNorm1d(num_values) if config.code_norm else nn.Identity()
        self.code_avg: Tensor
        self.register_buffer("code_avg", torch.zeros(self.code_shape))
        self._initialize()

    def forward(self, images: Tensor) -> Tensor:
        """See `base.Encoder.forward`.

        Raises:
            ConfigError: one picture at a time in training, where the code is normalised over the batch.
        """
        self._check_images(images)
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        x = self.narrow(self.blocks(x))  # [N, C, h, w]
        codes = self.code_norm(self.head(x.flatten(1)))  # [N, rows * length]
        codes = codes.unflatten(1, self.code_shape) + self.code_avg  # [N, rows, length]
        return codes[:, 0] if self.space == "z" else codes.expand(-1, self.num_ws, -1)

    @torch.no_grad()
    def start_from(self, G: base.Generator) -> None:
        """See `base.Encoder.start_from`: the average w, of one row or of each layer's own."""
        if self.config.from_average and self.space != "z":
            average = G.w_avg.expand(self.num_ws, self.w_dim)  # [num_ws, w_dim]
            self.code_avg.copy_(average if self.space == "w+" else average.mean(0, keepdim=True))

    def _initialize(self) -> None:
        """Weights N(0, 0.02^2), no bias; a code that starts from the average starts as the average."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=INITIAL_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.config.from_average:
            nn.init.zeros_(self.head.weight)

    def _check_images(self, images: Tensor) -> None:
        expected = (self.img_channels, *self.img_resolution)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ShapeError(
                f"encoder expects pictures of [N, {', '.join(map(str, expected))}], got {list(images.shape)}; bring "
                "them to the size and channels of its generator"
            )
        if self.training and self.config.code_norm and len(images) < 2:
            raise ConfigError(
                "encoder.code_norm: got one picture at a time, expected at least 2 to normalise the code over; raise "
                "--batch or --batch-gpu, or set encoder.code_norm=false"
            )
