"""The generator of ProGAN: a latent on the hypersphere to a picture, growing from the base grid to full resolution.

Source: ProGAN paper, Section 2 and Figure 2 (growing), Section 4.1 (equalized learning rate), Section 4.2 (pixelwise
normalization), Appendix A.1 and Table 2 (layers, latents on the hypersphere); label joined to the latent, gain of the
first layer and widths as in the official networks.

ProGAN has no mapping network: w is the normalised latent with the label behind it, one for the whole network
(`num_ws` is 1). Its average is the origin, so `w_avg` is zero and stays so.

Deviations:
- Upsampling and the convolution after it are one transposed convolution (`fused_scale`); equal up to rounding.
- Every resolution has its toRGB, also where nothing grows; those not in use get no gradient.
- A resolution may be any `base_grid` times a power of two, so pictures need not be square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError, ShapeError
from limner.ops.bias_act import LRELU_GAIN, leaky_relu
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import fade, level_of, upsample_nearest
from limner.ops.normalize import pixel_norm
from limner.papers import base
from limner.papers.base import NOISE_MODES, NoiseMode


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Settings of the generator."""

    img_resolution: Resolution = (1024, 1024)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    z_dim: int = 512
    """Length of z."""
    c_dim: int = 0
    """Length of a label; 0: unconditional."""
    channel_base: int = 16384
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    normalization: Literal["pixel", "batch", "none"] = "pixel"
    """`pixel` after the activation (ProGAN paper, Section 4.2); `batch` before it (Table 1, rows a to c)."""
    activation: Literal["lrelu", "relu"] = "lrelu"
    """Leaky ReLU of slope 0.2, or ReLU (Table 1, rows a to c)."""
    tanh: bool = False
    """End in tanh (Table 1, rows a to c); False: linear."""
    normalize_latents: bool = True
    """Put z, with the label behind it, on the hypersphere (ProGAN paper, Appendix A.1)."""
    equalized: bool = True
    """Scale weights at run time (ProGAN paper, Section 4.1)."""
    fused_scale: bool = True
    """Upsample and convolve in one step; the result is the same."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "z_dim", "channel_base", "channel_max"), ">= 1")
        check_limits(self, "generator", **sizes, img_channels=">= 1, <= 4", c_dim=">= 0")


def num_channels(config_base: int, config_max: int, level: int) -> int:
    """Channels at block `level` (0 is the base grid, nominally 4 pixels)."""
    return max(min(config_base // (4 * 2**level), config_max), 1)


class Finish(nn.Module):
    """What follows a layer: activation and pixelwise normalization, or batch normalization and activation."""

    def __init__(self, config: GeneratorConfig, channels: int) -> None:
        super().__init__()
        self.normalization, self.activation = config.normalization, config.activation
        if config.normalization == "batch":
            self.batch_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """A fresh tensor x [N, C, H, W] to [N, C, H, W]."""
        if self.normalization == "batch":
            x = self.batch_norm(x)
        x = F.relu_(x) if self.activation == "relu" else leaky_relu(x)
        return pixel_norm(x) if self.normalization == "pixel" else x


class SynthesisLayer(EqualizedConv2d):
    """3x3 convolution, after doubling where `up` is 2, and what follows it; the gain sqrt(2) is in the weight."""

    def __init__(self, config: GeneratorConfig, in_channels: int, out_channels: int, *, up: int = 1) -> None:
        super().__init__(
            in_channels,
            out_channels,
            3,
            activate=False,
            bias=config.normalization != "batch",
            up=up,
            gain=LRELU_GAIN,
            bias_scaled=False,
            equalized=config.equalized,
            resample="box",
            fused=config.fused_scale,
        )
        self.finish = Finish(config, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H up, W up]."""
        return self.finish(super().forward(x))


class SynthesisStart(nn.Module):
    """The base grid: w through a dense layer, then a 3x3 convolution (ProGAN paper, Table 2)."""

    def __init__(self, config: GeneratorConfig, grid: Resolution) -> None:
        super().__init__()
        self.channels, self.grid = num_channels(config.channel_base, config.channel_max, 0), grid
        num_pixels = grid[0] * grid[1]
        self.dense = EqualizedLinear(
            config.z_dim + config.c_dim,
            self.channels * num_pixels,
            bias=False,
            gain=LRELU_GAIN / math.sqrt(num_pixels),  # sqrt(2) / 4 in the official networks of 4 x 4
            equalized=config.equalized,
        )
        if config.normalization != "batch":
            self.bias = nn.Parameter(torch.zeros(self.channels))
        self.finish = Finish(config, self.channels)
        self.conv = SynthesisLayer(config, self.channels, self.channels)
        self.torgb = _torgb(config, self.channels)

    def forward(self, w: Tensor) -> Tensor:
        """w [N, w_dim] to features [N, C, h, w]."""
        x = self.dense(w).view(-1, self.channels, *self.grid)  # [N, C, h, w]
        x = x.contiguous(memory_format=torch.channels_last)
        x = x + self.bias[:, None, None] if hasattr(self, "bias") else x
        return self.conv(self.finish(x))


class SynthesisBlock(nn.Module):
    """The layers of one resolution above the base grid."""

    def __init__(self, config: GeneratorConfig, level: int) -> None:
        super().__init__()
        in_channels = num_channels(config.channel_base, config.channel_max, level - 1)
        out_channels = num_channels(config.channel_base, config.channel_max, level)
        self.conv0 = SynthesisLayer(config, in_channels, out_channels, up=2)
        self.conv1 = SynthesisLayer(config, out_channels, out_channels)
        self.torgb = _torgb(config, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features [N, I, H, W] to [N, O, 2 H, 2 W]."""
        return self.conv1(self.conv0(x))


def _torgb(config: GeneratorConfig, channels: int) -> EqualizedConv2d:
    """Linear 1x1 convolution to colours."""
    return EqualizedConv2d(channels, config.img_channels, 1, activate=False, equalized=config.equalized)


class SynthesisNetwork(nn.Module):
    """w to a picture at the resolution being trained."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        base_h, base_w, self.num_doublings = base_grid(config.img_resolution)
        self.tanh = config.tanh
        self.blocks = [f"b{4 * 2**level}" for level in range(self.num_doublings + 1)]
        self.b4 = SynthesisStart(config, (base_h, base_w))
        for level, name in enumerate(self.blocks[1:], 1):
            self.add_module(name, SynthesisBlock(config, level))

    def block(self, name: str) -> SynthesisStart | SynthesisBlock:
        """The block called `name`, such as `b4`."""
        block = self.get_submodule(name)
        assert isinstance(block, SynthesisStart | SynthesisBlock)
        return block

    def forward(self, ws: Tensor, lod: float) -> Tensor:
        """ws [N, 1, w_dim] to images [N, C, H >> floor(lod), W >> floor(lod)]."""
        level = level_of(self.num_doublings, lod)
        *coarser, finest = [self.block(name) for name in self.blocks[: level + 1]]
        x = ws[:, 0]  # [N, w_dim]
        for block in coarser:
            x = block(x)
        image = finest.torgb(finest(x))
        if lod % 1:  # the coarser level, while the finest one fades in
            image = fade(image, coarser[-1].torgb(x), lod)
        return image.tanh() if self.tanh else image


class Generator(base.Generator):
    """Normalisation and synthesis. Module names follow the field's: `synthesis_network.b8.conv0`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim, self.num_ws = config.z_dim, config.z_dim + config.c_dim, config.c_dim, 1
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        self.synthesis_network = SynthesisNetwork(config)
        self.register_buffer("w_avg", torch.zeros(self.w_dim))

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """See `base.Generator.mapping`; w is z and c in one vector, normalised. Truncation goes to the origin."""
        self.check_z(z, c)
        dtype = self.w_avg.dtype
        w = z.to(dtype) if c is None or not self.c_dim else torch.cat([z.to(dtype), c.to(dtype)], 1)  # [N, w_dim]
        if self.config.normalize_latents:
            w = pixel_norm(w)
        if truncation_psi != 1.0 and truncation_cutoff != 0:
            w = self.w_avg + truncation_psi * (w - self.w_avg)
        return w[:, None]  # [N, 1, w_dim]

    @property
    def noise_shapes(self) -> tuple[Resolution, ...]:
        """See `base.Generator.noise_shapes`; empty, the generator takes no noise."""
        return ()

    def synthesis(
        self,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        noises: Sequence[Tensor] | None = None,
        lod: float | None = None,
    ) -> Tensor:
        """See `base.Generator.synthesis`; the noise mode changes nothing."""
        self.check_ws(ws)
        if noise_mode not in NOISE_MODES:
            raise ConfigError(f"noise_mode: got '{noise_mode}', expected one of {', '.join(NOISE_MODES)}")
        if noises:
            raise ShapeError(
                f"synthesis expects 0 noise maps, got {[tuple(noise.shape) for noise in noises]}; this generator takes "
                "no noise"
            )
        lod = self.lod if lod is None else lod
        images = self.synthesis_network(ws, lod)  # [N, C, H >> floor(lod), W >> floor(lod)]
        return upsample_nearest(images, 2 ** math.floor(lod))
