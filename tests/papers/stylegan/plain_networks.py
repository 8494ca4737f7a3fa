"""The networks of StyleGAN written out a second time, slowly, from the paper's figures.

They take a state dict and compute in its precision with torch's own differentiable functions: pixels repeated, filters
as sums over taps, one operation after the other. Nothing of limner computes here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.papers.stylegan import DiscriminatorConfig, GeneratorConfig
from ops import plain

State = Mapping[str, Tensor]
SQRT2 = math.sqrt(2)


def dense(state: State, name: str, x: Tensor, *, gain: float = 1.0, multiplier: float = 1.0) -> Tensor:
    """gain m x W^T / sqrt(fan in) + m b."""
    weight = state[f"{name}.weight"]
    y = x @ weight.t() * (gain * multiplier / math.sqrt(weight.shape[1]))
    return y + state[f"{name}.bias"] * multiplier if f"{name}.bias" in state else y


def convolution(weight: Tensor, x: Tensor, *, gain: float = SQRT2) -> Tensor:
    """Equalized correlation with zeros around, no bias."""
    return F.conv2d(x, weight * (gain / math.sqrt(weight[0].numel())), padding=weight.shape[-1] // 2)


def add_bias(state: State, name: str, x: Tensor) -> Tensor:
    return x + state[f"{name}.bias"][None, :, None, None]


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def blur(x: Tensor) -> Tensor:
    """[1, 2, 1] by itself over 16, zeros around."""
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype)
    return plain.filter2d(F.pad(x, (1, 1, 1, 1)), torch.outer(taps, taps) / 16)


def double(x: Tensor, factor: int = 2) -> Tensor:
    """Every pixel repeated in both directions."""
    return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def halve(x: Tensor) -> Tensor:
    """Mean of 2 x 2 pixels."""
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def mapping(state: State, name: str, z: Tensor, c: Tensor | None, *, multiplier: float = 0.01) -> Tensor:
    """z and the label's row of a matrix, normalised together, through dense layers."""
    x = z if c is None else torch.cat([z, c @ state[f"{name}.label_matrix"]], 1)
    x = plain.pixel_norm(x)
    index = 0
    while f"{name}.fc{index}.weight" in state:
        x = lrelu(dense(state, f"{name}.fc{index}", x, gain=SQRT2, multiplier=multiplier))
        index += 1
    return x


def epilogue(config: GeneratorConfig, state: State, name: str, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
    """StyleGAN paper, Figure 1 (b): noise times its strength in each channel, bias, leaky ReLU, AdaIN."""
    if noise is not None:
        x = x + noise * state[f"{name}.noise_strength"][None, :, None, None]
    x = lrelu(add_bias(state, name, x))
    if config.pixel_norm:
        x = plain.pixel_norm(x)
    if config.instance_norm:
        deviation = (x.var((2, 3), unbiased=False, keepdim=True) + 1e-8).sqrt()
        x = (x - x.mean((2, 3), keepdim=True)) / deviation
    if not config.use_styles:
        return x
    style = dense(state, f"{name}.affine", w).reshape(len(w), 2, -1, 1, 1)
    return x * (style[:, 0] + 1) + style[:, 1]


def synthesis(
    config: GeneratorConfig, state: State, ws: Tensor, noises: Sequence[Tensor | None], *, lod: float = 0.0
) -> Tensor:
    """Pictures at the resolution being trained; layer i uses ws[:, i] and noises[i]."""
    root, top = "synthesis_network", math.floor(lod)
    names = sorted({key.split(".")[1] for key in state if key.startswith(f"{root}.b")}, key=lambda name: int(name[1:]))
    names = names[: len(names) - top]
    pictures: list[Tensor] = []
    x = ws
    for index, block in enumerate(names):
        name = f"{root}.{block}"
        w0, w1 = (ws[:, 2 * index], ws[:, 2 * index + 1]) if config.use_styles else (ws[:, 0], ws[:, 0])
        if index == 0:
            bias = state[f"{name}.input.bias"]
            if config.const_input:
                x = state[f"{name}.input.const"].repeat(len(ws), 1, 1, 1)
            else:
                height, width = (side >> (len(names) + top - 1) for side in config.img_resolution)
                x = dense(state, f"{name}.input.dense", ws[:, 0], gain=SQRT2 / math.sqrt(height * width))
                x = x.reshape(len(ws), len(bias), height, width)
            x = epilogue(config, state, f"{name}.input", x, w0, noises[0])
        else:
            x = convolution(state[f"{name}.conv0.weight"], double(x))
            x = epilogue(config, state, f"{name}.conv0", blur(x) if config.blur else x, w0, noises[2 * index])
        x = convolution(state[f"{name}.conv1.weight"], x)
        x = epilogue(config, state, f"{name}.conv1", x, w1, noises[2 * index + 1])
        rgb = convolution(state[f"{name}.torgb.weight"], x, gain=1.0)
        pictures.append(add_bias(state, f"{name}.torgb", rgb))
    share = lod - top
    return pictures[-1] if share == 0 else (1 - share) * pictures[-1] + share * double(pictures[-2])


def discriminator(
    config: DiscriminatorConfig, state: State, images: Tensor, c: Tensor | None, *, group: int, lod: float = 0.0
) -> Tensor:
    """Features of fromRGB, halved block by block; while a level fades in, mixed with those of the halved picture."""

    def layer(name: str, x: Tensor) -> Tensor:
        return lrelu(add_bias(state, name, convolution(state[f"{name}.weight"], x)))

    top = math.floor(lod)
    names = sorted({key.split(".")[0] for key in state}, key=lambda name: -int(name[1:]))[top:]
    x = layer(f"{names[0]}.fromrgb", images)
    for block, following in pairwise(names):
        x = layer(f"{block}.conv0", x)
        x = convolution(state[f"{block}.conv1.weight"], blur(x) if config.blur else x)
        x = lrelu(add_bias(state, f"{block}.conv1", halve(x)))
        if block == names[0]:
            x = (1 - (lod - top)) * x + (lod - top) * layer(f"{following}.fromrgb", halve(images))
    x = plain.minibatch_std(x, group, config.mbstd_features) if config.mbstd_features else x
    x = layer("b4.conv", x)
    logits = dense(state, "b4.out", lrelu(dense(state, "b4.fc", x.flatten(1), gain=SQRT2)))
    return logits if c is None else (logits * c).sum(1, keepdim=True)
