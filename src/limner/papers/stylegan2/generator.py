"""The generator of StyleGAN2: mapping network, synthesis network, truncation.

Source: StyleGAN2 paper, Section 2 (weight demodulation, noise and bias outside the style block) and Section 4 with
Figure 7 (architectures `orig`, `skip`, `resnet`); layer indices and initial values of the official networks. The
growing generator of Table 1, rows B to D, is `orig` with a toRGB at every resolution, faded as in the ProGAN paper,
Figure 2.

Deviations:
- Noise strength and bias gains are folded before the activation; the arithmetic is the same up to rounding.
- `conv_clamp` acts in half-precision layers only.
- A resolution may be any `base_grid` times a power of two, so pictures need not be square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError
from limner.ops.bias_act import scaled_bias_act
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import fade, level_of
from limner.ops.modulated_conv import demodulation, modulated_conv2d, modulated_pointwise
from limner.ops.upfirdn2d import setup_filter, upsample2d
from limner.papers import base
from limner.papers.stylegan2.mapping import LabelNorm, MappingNetwork

Architecture = Literal["orig", "skip", "resnet"]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Settings of the generator."""

    img_resolution: Resolution = (256, 256)
    """Height and width of pictures, pixels."""
    img_channels: int = 3
    """Channels of pictures."""
    z_dim: int = 512
    """Length of z."""
    w_dim: int = 512
    """Length of w."""
    c_dim: int = 0
    """Length of a label; 0: unconditional."""
    mapping_layers: int = 8
    """Depth of the mapping network (StyleGAN paper, Table 4)."""
    mapping_lr_multiplier: float = 0.01
    """Relative learning rate of the mapping network (StyleGAN paper, Appendix C)."""
    label_norm: LabelNorm = "separate"
    """How label and z are joined: `separate` as StyleGAN2-ADA in PyTorch, `joint` as the TensorFlow networks."""
    architecture: Architecture = "skip"
    """StyleGAN2 paper, Figure 7."""
    growing: bool = False
    """Give every resolution its own toRGB, so that training can grow (StyleGAN2 paper, Table 1, rows B to D)."""
    use_noise: bool = True
    """Add noise maps to the layers (StyleGAN paper, Section 3.2)."""
    channel_base: int = 32768
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    num_fp16_res: int = 4
    """Highest resolutions computed in half precision on CUDA devices; 0: none."""
    conv_clamp: float = 256.0
    """Limit of activations in half-precision layers."""
    w_avg_beta: float = 0.995
    """Decay of the average of w (official StyleGAN networks: 0.995)."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "z_dim", "w_dim", "channel_base", "channel_max"), ">= 1")
        counts = dict.fromkeys(("c_dim", "mapping_layers", "num_fp16_res"), ">= 0")
        limits = {"img_channels": ">= 1, <= 4", "mapping_lr_multiplier": "> 0", "w_avg_beta": ">= 0, <= 1"}
        check_limits(self, "generator", **sizes, **counts, **limits, conv_clamp="> 0")
        check_growing(self, "generator")


def check_growing(config: Any, group: str) -> None:
    """Raise `ConfigError` when a network is to grow whose `architecture` joins RGB or features of all resolutions."""
    if config.growing and config.architecture != "orig":
        raise ConfigError(
            f"{group}.growing: got true with architecture '{config.architecture}', expected 'orig', the one that can "
            f"grow; set {group}.architecture=orig or {group}.growing=false"
        )


def check_lod(lod: float, *, is_growing: bool, network: str) -> None:
    """Raise `ConfigError` when a network that does not grow is asked for less than its full resolution."""
    if lod and not is_growing:
        raise ConfigError(
            f"lod: got {lod:g}, expected 0: this {network} does not grow; use a growing preset such as "
            "stylegan2-config-d, or schedule.grow=false"
        )


def num_channels(config_base: int, config_max: int, level: int) -> int:
    """Channels at block `level` (0 is the base grid, nominally 4 pixels)."""
    return max(min(config_base // (4 * 2**level), config_max), 1)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, demodulation, noise, bias, leaky ReLU (StyleGAN2 paper, Figure 2 d)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        w_dim: int,
        resolution: Resolution,
        up: int = 1,
        gain: float = 1.0,
        use_noise: bool = True,
        conv_clamp: float,
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.use_noise = use_noise
        if use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.noise_const: Tensor
            self.register_buffer("noise_const", torch.randn(resolution))
        self.kernel: Tensor
        self.register_buffer("kernel", setup_filter(), persistent=False)
        self.up, self.gain, self.conv_clamp = up, gain, conv_clamp

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x [N, I, H, W], w [N, w_dim], noise [N or 1, 1, H up, W up] to [N, O, H up, W up]."""
        s = self.affine(w)  # [N, I]
        weight: Tensor = self.weight
        clamp = None
        if x.dtype == torch.float16:  # demodulation cancels any scale of s and of a filter, so avoid overflow
            s = s / s.abs().amax(1, keepdim=True)
            weight = weight / (weight.abs().amax((1, 2, 3), keepdim=True) * math.sqrt(weight[0].numel()))
            clamp = self.conv_clamp
        y = modulated_conv2d(x, weight, s, up=self.up, kernel=self.kernel)
        scaled_noise = None if noise is None else noise * self.noise_strength
        return scaled_bias_act(y, demodulation(weight, s), self.bias, scaled_noise, gain=self.gain, clamp=clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation, linear (toRGB of StyleGAN2 paper, Figure 7)."""

    def __init__(self, in_channels: int, img_channels: int, *, w_dim: int, conv_clamp: float) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain, self.conv_clamp = 1 / math.sqrt(in_channels), conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, I, H, W] and w [N, w_dim] to an RGB contribution [N, img_channels, H, W] in full precision."""
        s = self.affine(w) * self.weight_gain
        y = modulated_pointwise(x, self.weight[:, :, 0, 0], s)
        y = y.to(self.bias.dtype) + self.bias[:, None, None]
        return y.clamp(-self.conv_clamp, self.conv_clamp) if x.dtype == torch.float16 else y


class SynthesisBlock(nn.Module):
    """The layers of one resolution."""

    def __init__(
        self, config: GeneratorConfig, level: int, *, resolution: Resolution, is_last: bool, use_fp16: bool
    ) -> None:
        super().__init__()
        out_channels = num_channels(config.channel_base, config.channel_max, level)
        self.architecture, self.use_fp16 = config.architecture, use_fp16
        is_residual = config.architecture == "resnet" and level > 0
        shared: dict[str, Any] = {
            "w_dim": config.w_dim,
            "resolution": resolution,
            "use_noise": config.use_noise,
            "conv_clamp": config.conv_clamp,
        }
        self.num_conv = 1 if level == 0 else 2
        if level == 0:
            self.const = nn.Parameter(torch.randn(out_channels, *resolution))
        else:
            in_channels = num_channels(config.channel_base, config.channel_max, level - 1)
            self.conv0 = SynthesisLayer(in_channels, out_channels, up=2, **shared)
            if is_residual:
                self.skip = EqualizedConv2d(
                    in_channels, out_channels, 1, activate=False, bias=False, up=2, gain=math.sqrt(0.5)
                )
        gain = math.sqrt(0.5) if is_residual else 1.0
        self.conv1 = SynthesisLayer(out_channels, out_channels, gain=gain, **shared)
        self.kernel: Tensor
        self.register_buffer("kernel", setup_filter(), persistent=False)
        self.has_rgb = is_last or config.architecture == "skip" or config.growing
        if self.has_rgb:
            self.torgb = ToRGB(out_channels, config.img_channels, w_dim=config.w_dim, conv_clamp=config.conv_clamp)

    def layers(self) -> list[SynthesisLayer]:
        """The layers that take noise, in order."""
        return [self.conv1] if self.num_conv == 1 else [self.conv0, self.conv1]

    def forward(self, x: Tensor | None, ws: Tensor, noises: Sequence[Tensor | None]) -> Tensor:
        """Run the convolutions of one resolution.

        Args:
            x: [N, I, H/2, W/2] features of the previous block; None in the first.
            ws: [N, num_conv + 1, w_dim] the styles of the convolutions and of toRGB.
            noises: one map or None per convolution.

        Returns:
            features [N, O, H, W].
        """
        dtype = torch.float16 if self.use_fp16 and ws.device.type == "cuda" else self.conv1.weight.dtype
        if x is None:
            x = self.const.expand(ws.shape[0], -1, -1, -1).to(dtype, memory_format=torch.channels_last)
            return self.conv1(x, ws[:, 0], noises[0])
        x = x.to(dtype)
        y = self.conv1(self.conv0(x, ws[:, 0], noises[0]), ws[:, 1], noises[1])
        return self.skip(x).add_(y) if self.architecture == "resnet" else y

    def add_rgb(self, x: Tensor, image: Tensor | None, ws: Tensor) -> Tensor | None:
        """Add what these features show to the picture so far (architectures `orig`, `skip`, `resnet`).

        Args:
            x: [N, O, H, W] features.
            image: [N, img_channels, H/2, W/2] sum of the previous RGB contributions; None if there is none.
            ws: as in `forward`.

        Returns:
            the RGB sum [N, img_channels, H, W]; None where there is none yet.
        """
        if image is not None:
            image = upsample2d(image, self.kernel)
        if not self.has_rgb:
            return image
        rgb = self.torgb(x, ws[:, self.num_conv])
        return rgb if image is None else image + rgb


class SynthesisNetwork(nn.Module):
    """w of every layer to a picture."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        base_h, base_w, num_doublings = base_grid(config.img_resolution)
        self.is_growing, self.num_doublings = config.growing, num_doublings
        self.num_ws = 2 * (num_doublings + 1)
        self.blocks: list[str] = []
        for level in range(num_doublings + 1):
            use_fp16 = num_doublings - level < config.num_fp16_res and level > 0
            block = SynthesisBlock(
                config,
                level,
                resolution=(base_h * 2**level, base_w * 2**level),
                is_last=level == num_doublings,
                use_fp16=use_fp16,
            )
            self.blocks.append(f"b{4 * 2**level}")
            self.add_module(self.blocks[-1], block)

    def block(self, name: str) -> SynthesisBlock:
        """The block called `name`, such as `b4`."""
        block = self.get_submodule(name)
        assert isinstance(block, SynthesisBlock)
        return block

    def num_layers(self, lod: float) -> int:
        """Styles in use at `lod`, toRGB's included: num_ws at full resolution, two less at every level below."""
        check_lod(lod, is_growing=self.is_growing, network="generator")
        return 2 * (level_of(self.num_doublings, lod) + 1)

    def forward(self, ws: Tensor, noises: Sequence[Tensor | None], lod: float = 0.0) -> Tensor:
        """Run the blocks in use.

        Args:
            ws: [N, num_ws, w_dim].
            noises: one map or None for each convolution in use, or for all.
            lod: level of detail (see `ops.growing`).

        Returns:
            images: [N, C, H >> floor(lod), W >> floor(lod)].
        """
        finest = self.num_layers(lod) // 2 - 1
        first_rgb = finest - 1 if lod % 1 else finest
        x = image = None
        used = 0
        for level, name in enumerate(self.blocks[: finest + 1]):
            block = self.block(name)
            end = used + block.num_conv
            styles = ws[:, used : end + 1]
            x = block(x, styles, noises[used:end])
            if not self.is_growing:
                image = block.add_rgb(x, image, styles)
            elif level >= first_rgb:
                rgb = block.torgb(x, styles[:, block.num_conv])
                image = rgb if image is None else fade(rgb, image, lod)
            used = end
        assert image is not None
        return image


class Generator(base.StyleBasedGenerator):
    """Mapping and synthesis. Module names follow the field's: `mapping_network`, `synthesis_network.b4.conv1`."""

    synthesis_network: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        self.w_avg_beta, self.use_noise = config.w_avg_beta, config.use_noise
        self.mapping_network = MappingNetwork(
            z_dim=config.z_dim,
            c_dim=config.c_dim,
            w_dim=config.w_dim,
            num_layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
            label_norm=config.label_norm,
        )
        self.synthesis_network = SynthesisNetwork(config)
        self.num_ws = self.synthesis_network.num_ws
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def noise_layers(self, lod: float) -> Sequence[SynthesisLayer]:
        """See `base.StyleBasedGenerator.noise_layers`."""
        network = self.synthesis_network
        layers = [layer for name in network.blocks for layer in network.block(name).layers()]
        return layers[: network.num_layers(lod) - 1]
