"""Layers with equalized learning rate.

Source: ProGAN paper, Section 4.1: weights are drawn from N(0, 1) and multiplied at run time by the constant of He's
initializer, so that all weights learn at the same speed. `lr_multiplier` scales the effective learning rate (StyleGAN
paper, Appendix C: 0.01 in the mapping network).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.ops.bias_act import LRELU_GAIN, leaky_relu
from limner.ops.conv import conv2d
from limner.ops.resample_conv import downsample_conv2d, upsample_conv2d
from limner.ops.upfirdn2d import setup_filter


class EqualizedLinear(nn.Module):
    """x W^T + b with run-time weight scale; optionally leaky ReLU with gain sqrt(2)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activate: bool = False,
        bias: bool = True,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier)) if bias else None
        gain = LRELU_GAIN if activate else 1.0
        self.activate = activate
        self.weight_gain = gain * lr_multiplier / math.sqrt(in_features)
        self.bias_gain = gain * lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in_features] to [N, out_features]."""
        bias = None if self.bias is None else self.bias * self.bias_gain
        y = F.linear(x, self.weight * self.weight_gain, bias)
        return leaky_relu(y) if self.activate else y


class EqualizedConv2d(nn.Module):
    """Convolution with run-time weight scale, optional 2x resampling, and leaky ReLU with gain sqrt(2).

    `clamp` limits the absolute result in half precision only.
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
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.activate, self.up, self.down = activate, up, down
        self.padding = kernel_size // 2
        self.bias_gain = gain * (LRELU_GAIN if activate else 1.0)
        self.weight_gain = self.bias_gain / math.sqrt(in_channels * kernel_size**2)
        self.clamp = None if clamp is None else clamp * gain
        self.kernel: Tensor
        if up > 1 or down > 1:
            self.register_buffer("kernel", setup_filter(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, in_channels, H, W] to [N, out_channels, H up / down, W up / down]."""
        weight = (self.weight * self.weight_gain).to(x.dtype)
        bias = None if self.bias is None else (self.bias * self.bias_gain).to(x.dtype)
        if self.up == 2:
            y = upsample_conv2d(x, weight, self.kernel)
            y = y if bias is None else y + bias[:, None, None]
        elif self.down == 2:
            y = downsample_conv2d(x, weight, self.kernel, bias)
        else:
            y = conv2d(x, weight, bias, padding=self.padding)
        clamp = self.clamp if y.dtype == torch.float16 else None
        if self.activate:
            return leaky_relu(y, clamp=clamp)
        return y if clamp is None else y.clamp(-clamp, clamp)
