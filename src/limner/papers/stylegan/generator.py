"""The generator of StyleGAN: mapping network, growing synthesis network, truncation.

Source: StyleGAN paper, Section 2 with Figure 1 (b), Section 3.2 (noise), Appendices B (truncation) and C (activation,
bilinear filtering); ProGAN paper, Section 2 (growing); order of a layer's operations, initial values and layer indices
of the official networks.

Deviations:
- A network without styles takes one w (`num_ws` is 1): its dense input is all that reads it.
- A resolution may be any `base_grid` times a power of two, so pictures need not be square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.config import Resolution, base_grid, check_limits
from limner.errors import ConfigError
from limner.ops.bias_act import LRELU_GAIN, leaky_relu
from limner.ops.conv import conv2d
from limner.ops.equalized import EqualizedConv2d, EqualizedLinear
from limner.ops.growing import fade, level_of
from limner.ops.normalize import adain, instance_norm, pixel_norm
from limner.ops.resample_conv import upsample_nearest_conv2d, upsample_nearest_conv2d_blur
from limner.ops.styled_act import noise_act_adain
from limner.papers import base
from limner.papers.stylegan.mapping import MappingNetwork


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
    """Depth of the mapping network (StyleGAN paper, Table 4); 0: w is the normalised z."""
    mapping_lr_multiplier: float = 0.01
    """Relative learning rate of the mapping network (StyleGAN paper, Appendix C)."""
    per_layer_w: bool = False
    """Whether the mapping network makes a w for each layer rather than one for all (IDInvert's generator)."""
    use_styles: bool = True
    """Scale and shift every layer by its style (StyleGAN paper, Table 1, row C)."""
    const_input: bool = True
    """Start from a learned constant; False: from a dense layer of w, as before row D of Table 1."""
    use_noise: bool = True
    """Add noise maps to the layers (StyleGAN paper, Section 3.2; Table 1, row E)."""
    pixel_norm: bool = False
    """Normalise every pixel's features after the activation, as ProGAN does."""
    instance_norm: bool = True
    """Normalise every feature map before its style (StyleGAN paper, Equation 1)."""
    blur: bool = True
    """Filter after upsampling (StyleGAN paper, Appendix C: bilinear)."""
    fused_scale: bool = True
    """Merge doubling and convolution into one kernel; the pictures are the same up to rounding."""
    tanh_output: bool = False
    """Whether pictures go through a tanh (IDInvert's generator)."""
    channel_base: int = 16384
    """Channels at a resolution are channel_base / resolution, at most channel_max."""
    channel_max: int = 512
    """Most channels of a layer."""
    w_avg_beta: float = 0.995
    """Decay of the average of w (official StyleGAN networks: 0.995)."""

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("img_resolution", "z_dim", "w_dim", "channel_base", "channel_max"), ">= 1")
        counts = dict.fromkeys(("c_dim", "mapping_layers"), ">= 0")
        limits = {"img_channels": ">= 1, <= 4", "mapping_lr_multiplier": "> 0", "w_avg_beta": ">= 0, <= 1"}
        check_limits(self, "generator", **sizes, **counts, **limits)
        if self.const_input and not self.use_styles:
            raise ConfigError(
                "generator.use_styles: got false with const_input true, expected true: nothing would read w; set "
                "generator.const_input=false for a network without styles"
            )
        if self.per_layer_w and not (self.use_styles and self.mapping_layers):
            raise ConfigError(
                "generator.per_layer_w: got true without styles or without mapping layers, expected both; set it to "
                "false, as nothing reads or makes a w for each layer"
            )

    @property
    def num_ws(self) -> int:
        """Layers that take a w: two for every resolution; one without styles."""
        return 2 * (base_grid(self.img_resolution)[2] + 1) if self.use_styles else 1


def num_channels(config_base: int, config_max: int, level: int) -> int:
    """Channels at block `level` (0 is the base grid, nominally 4 pixels)."""
    return max(min(config_base // (4 * 2**level), config_max), 1)


class Epilogue(nn.Module):
    """Noise, bias, leaky ReLU, normalisation, style: what follows every convolution (StyleGAN paper, Figure 1 b)."""

    def __init__(self, config: GeneratorConfig, channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        if config.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(channels))
            self.noise_const: Tensor
            self.register_buffer("noise_const", torch.randn(resolution))
        self.affine = EqualizedLinear(config.w_dim, 2 * channels) if config.use_styles else None
        self.pixel_norm, self.instance_norm = config.pixel_norm, config.instance_norm

    def finish(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Turn a fresh x [N, C, H, W], given away, with w [N, w_dim] and noise [N or 1, 1, H, W] into features."""
        if self.affine is not None:
            scale, shift = self.affine(w).chunk(2, 1)  # [N, C] each
            if self.instance_norm and not self.pixel_norm:
                strength = None if noise is None else self.noise_strength
                return noise_act_adain(x, noise, strength, self.bias, scale + 1, shift)
        if noise is not None:
            x = x.addcmul_(noise.to(x.dtype), self.noise_strength[:, None, None])
        x = leaky_relu(x.add_(self.bias[:, None, None]))
        if self.pixel_norm:
            x = pixel_norm(x)
        if self.affine is None:
            return instance_norm(x) if self.instance_norm else x
        if self.instance_norm:
            return adain(x, scale + 1, shift)
        return torch.addcmul(shift[:, :, None, None], x, (scale + 1)[:, :, None, None])


class SynthesisLayer(Epilogue):
    """3x3 convolution, doubling the picture first if `up` is 2, and the epilogue."""

    def __init__(
        self, config: GeneratorConfig, in_channels: int, out_channels: int, resolution: Resolution, *, up: int = 1
    ) -> None:
        super().__init__(config, out_channels, resolution)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.weight_gain = LRELU_GAIN / math.sqrt(in_channels * 3**2)
        self.up, self.is_blurred, self.is_fused = up, config.blur, config.fused_scale

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x [N, I, H, W], w [N, w_dim], noise [N or 1, 1, H up, W up] to [N, O, H up, W up]."""
        weight = self.weight * self.weight_gain
        if self.up == 1:
            return self.finish(conv2d(x, weight, padding=1), w, noise)
        upsample = upsample_nearest_conv2d_blur if self.is_blurred else upsample_nearest_conv2d
        return self.finish(upsample(x, weight, fused=self.is_fused), w, noise)


class InputLayer(Epilogue):
    """The base grid from a learned constant or from w by a dense layer, and the epilogue."""

    def __init__(self, config: GeneratorConfig, channels: int, resolution: Resolution) -> None:
        super().__init__(config, channels, resolution)
        self.shape = (channels, *resolution)
        if config.const_input:
            self.const = nn.Parameter(torch.ones(self.shape))
        else:  # a quarter of He's constant on 4 x 4 pixels, as official ProGAN networks have it
            gain = LRELU_GAIN / math.sqrt(math.prod(resolution))
            self.dense = EqualizedLinear(config.w_dim, math.prod(self.shape), bias=False, gain=gain)
        self.is_const = config.const_input

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        """w [N, w_dim] and noise [N or 1, 1, h, w] to features [N, C, h, w]."""
        n = w.shape[0]
        x = self.const.expand(n, -1, -1, -1) if self.is_const else self.dense(w).view(n, *self.shape)
        return self.finish(x.clone(memory_format=torch.channels_last), w, noise)


class SynthesisBlock(nn.Module):
    """The layers of one resolution and the toRGB that shows them when this resolution is the finest in use."""

    def __init__(self, config: GeneratorConfig, level: int, resolution: Resolution) -> None:
        super().__init__()
        channels = num_channels(config.channel_base, config.channel_max, level)
        self.is_base = level == 0
        if self.is_base:
            self.input = InputLayer(config, channels, resolution)
        else:
            in_channels = num_channels(config.channel_base, config.channel_max, level - 1)
            self.conv0 = SynthesisLayer(config, in_channels, channels, resolution, up=2)
        self.conv1 = SynthesisLayer(config, channels, channels, resolution)
        self.torgb = EqualizedConv2d(channels, config.img_channels, 1, activate=False)

    def layers(self) -> tuple[Epilogue, Epilogue]:
        """The two layers, in order."""
        return self.input if self.is_base else self.conv0, self.conv1

    def forward(self, x: Tensor | None, ws: Sequence[Tensor], noises: Sequence[Tensor | None]) -> Tensor:
        """Run one resolution.

        Args:
            x: [N, I, H/2, W/2] features of the previous block; None in the first.
            ws: two w [N, w_dim].
            noises: two maps or None.

        Returns:
            features [N, O, H, W].
        """
        x = self.input(ws[0], noises[0]) if x is None else self.conv0(x, ws[0], noises[0])
        return self.conv1(x, ws[1], noises[1])


class SynthesisNetwork(nn.Module):
    """w of every layer to a picture."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        base_h, base_w, self.num_doublings = base_grid(config.img_resolution)
        self.use_styles, self.tanh_output = config.use_styles, config.tanh_output
        self.blocks = [f"b{4 * 2**level}" for level in range(self.num_doublings + 1)]
        for level, name in enumerate(self.blocks):
            self.add_module(name, SynthesisBlock(config, level, (base_h * 2**level, base_w * 2**level)))

    def block(self, name: str) -> SynthesisBlock:
        """The block called `name`, such as `b4`."""
        block = self.get_submodule(name)
        assert isinstance(block, SynthesisBlock)
        return block

    def num_layers(self, lod: float) -> int:
        """Layers in use at `lod`: two for every resolution."""
        return 2 * (level_of(self.num_doublings, lod) + 1)

    def layers(self) -> list[Epilogue]:
        """All layers, in order."""
        return [layer for name in self.blocks for layer in self.block(name).layers()]

    def forward(self, ws: Tensor, noises: Sequence[Tensor | None], lod: float = 0.0) -> Tensor:
        """Run the blocks in use.

        Args:
            ws: [N, num_ws, w_dim].
            noises: one map or None for each layer in use, or for all.
            lod: level of detail (see `ops.growing`).

        Returns:
            images: [N, C, H >> floor(lod), W >> floor(lod)].
        """
        count = self.num_layers(lod)
        styles = ws.unbind(1) if self.use_styles else [ws[:, 0]] * count
        x = coarser = None
        for name, first in zip(self.blocks, range(0, count, 2), strict=False):
            coarser, block = x, self.block(name)
            x = block(x, styles[first : first + 2], noises[first : first + 2])
        assert x is not None
        image = block.torgb(x)
        if lod % 1:
            image = fade(image, self.block(self.blocks[count // 2 - 2]).torgb(coarser), lod)
        return torch.tanh(image) if self.tanh_output else image


class Generator(base.StyleBasedGenerator):
    """Mapping and synthesis. Module names follow the field's: `mapping_network`, `synthesis_network.b4.conv1`."""

    synthesis_network: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.img_resolution, self.img_channels = config.img_resolution, config.img_channels
        self.w_avg_beta, self.use_noise = config.w_avg_beta, config.use_noise
        self.num_ws = config.num_ws
        self.mapping_network = MappingNetwork(
            z_dim=config.z_dim,
            c_dim=config.c_dim,
            w_dim=config.w_dim,
            num_layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
            num_ws=self.num_ws if config.per_layer_w else None,
        )
        self.synthesis_network = SynthesisNetwork(config)
        self.register_buffer("w_avg", torch.zeros((self.num_ws, config.w_dim) if config.per_layer_w else config.w_dim))

    def noise_layers(self, lod: float) -> Sequence[Epilogue]:
        """See `base.StyleBasedGenerator.noise_layers`."""
        return self.synthesis_network.layers()[: self.synthesis_network.num_layers(lod)]
