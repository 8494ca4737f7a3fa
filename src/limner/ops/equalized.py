"""Layers with equalized learning rate.

Source: ProGAN paper, Section 4.1: weights are drawn from N(0, 1) and multiplied at run time by the constant of He's
initializer, so that all weights learn at the same speed. `lr_multiplier` scales the effective learning rate (StyleGAN
paper, Appendix C: 0.01 in the mapping network).

The networks differ in where the gain sqrt(2) of an activated layer sits: in ProGAN and StyleGAN in the weight alone
(`bias_scaled=False`), in StyleGAN2 after the activation, hence on weight and bias.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.ops.bias_act import LRELU_GAIN, leaky_relu
from limner.ops.conv import conv2d
from limner.ops.resample_conv import (
    blur_conv2d_downsample_box,
    conv2d_downsample_box,
    downsample_conv2d,
    upsample_conv2d,
    upsample_nearest_conv2d,
    upsample_nearest_conv2d_blur,
)
from limner.ops.upfirdn2d import setup_filter


class EqualizedLinear(nn.Module):
    """x W^T + b with run-time weight scale; optionally leaky ReLU with gain sqrt(2).

    Args:
        in_features: size of x.
        out_features: size of the result.
        activate: end with leaky ReLU.
        bias: have b.
        bias_init: value of b at the start.
        lr_multiplier: relative learning rate of W and b.
        gain: extra factor.
        bias_scaled: the gains multiply the result; False: W alone.
        equalized: scale W at run time; False: W is drawn at its size (He's initializer).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activate: bool = False,
        bias: bool = True,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
        gain: float = 1.0,
        bias_scaled: bool = True,
        equalized: bool = True,
    ) -> None:
        super().__init__()
        gain *= LRELU_GAIN if activate else 1.0
        size = gain / math.sqrt(in_features)
        drawn, scaled = (1.0, size) if equalized else (size, 1.0)
        self.weight = nn.Parameter(torch.randn(out_features, in_features) * (drawn / lr_multiplier))
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier)) if bias else None
        self.activate = activate
        self.weight_gain = scaled * lr_multiplier
        self.bias_gain = (gain if bias_scaled else 1.0) * lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in_features] to [N, out_features]."""
        bias = None if self.bias is None else self.bias * self.bias_gain
        y = F.linear(x, self.weight * self.weight_gain, bias)
        return leaky_relu(y) if self.activate else y


class EqualizedConv2d(nn.Module):
    """Convolution with run-time weight scale, optional 2x resampling, and leaky ReLU with gain sqrt(2).

    Args:
        in_channels: channels of x.
        out_channels: channels of the result.
        kernel_size: odd side of the kernel, pixels.
        activate: end with leaky ReLU.
        bias: have a bias, 0 at the start.
        up: 2: upsample first.
        down: 2: downsample last.
        gain: extra factor.
        clamp: limit of the absolute result in half precision; None: none.
        bias_scaled: the gains multiply the result; False: the weight alone.
        equalized: scale the weight at run time; False: it is drawn at its size (He's initializer).
        resample: `fir`: filter [1, 3, 3, 1] (StyleGAN2); `box`: nearest neighbour up, 2 x 2 mean down (ProGAN);
            `blurred_box`: the same, blurred after going up and before going down (StyleGAN).
        fused: compute the box with a merged kernel; False: in its steps. The result is the same.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        activate: bool = True,
        bias: bool = True,
        up: int = 1,
        down: int = 1,
        gain: float = 1.0,
        clamp: float | None = None,
        bias_scaled: bool = True,
        equalized: bool = True,
        resample: Literal["fir", "box", "blurred_box"] = "fir",
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.clamp = None if clamp is None else clamp * gain
        gain *= LRELU_GAIN if activate else 1.0
        size = gain / math.sqrt(in_channels * kernel_size**2)
        drawn, self.weight_gain = (1.0, size) if equalized else (size, 1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) * drawn)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.bias_gain = gain if bias_scaled else 1.0
        self.activate, self.up, self.down = activate, up, down
        self.resample, self.fused = resample, fused
        self.padding = kernel_size // 2
        self.kernel: Tensor
        if resample == "fir" and (up > 1 or down > 1):
            self.register_buffer("kernel", setup_filter(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in_channels, H, W] to [N, out_channels, H up / down, W up / down]."""
        weight = (self.weight * self.weight_gain).to(x.dtype)
        bias = None if self.bias is None else (self.bias * self.bias_gain).to(x.dtype)
        y = self._convolve(x, weight, bias)
        clamp = self.clamp if y.dtype == torch.float16 else None
        if self.activate:
            return leaky_relu(y, clamp=clamp)
        return y if clamp is None else y.clamp(-clamp, clamp)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.up == 2:
            if self.resample == "box":
                return upsample_nearest_conv2d(x, weight, bias, fused=self.fused)
            if self.resample == "blurred_box":
                y = upsample_nearest_conv2d_blur(x, weight, fused=self.fused)
            else:
                y = upsample_conv2d(x, weight, self.kernel)
            return y if bias is None else y + bias[:, None, None]
        if self.down == 2:
            if self.resample == "box":
                return conv2d_downsample_box(x, weight, bias, fused=self.fused)
            if self.resample == "blurred_box":
                return blur_conv2d_downsample_box(x, weight, bias, fused=self.fused)
            return downsample_conv2d(x, weight, self.kernel, bias)
        return conv2d(x, weight, bias, padding=self.padding)
