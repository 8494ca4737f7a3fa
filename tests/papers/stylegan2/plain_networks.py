"""The networks of StyleGAN2 written out a second time, slowly, from the paper's figures.

They take a state dict and compute in its precision with torch's own differentiable functions: a weight per sample,
zeros inserted and filtered, noise added, one operation after the other. Nothing of limner runs here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain

State = Mapping[str, Tensor]


def dense(state: State, name: str, x: Tensor, multiplier: float = 1.0) -> Tensor:
    """x W^T / sqrt(fan in) + b, both times the learning rate multiplier."""
    weight = state[f"{name}.weight"]
    return (x @ weight.t() / math.sqrt(weight.shape[1]) + state[f"{name}.bias"]) * multiplier


def convolution(state: State, name: str, x: Tensor) -> Tensor:
    """Equalized convolution with zeros around, no activation."""
    weight = state[f"{name}.weight"]
    scaled = weight / math.sqrt(weight[0].numel())
    return F.conv2d(x, scaled, padding=weight.shape[-1] // 2)


def mapping(state: State, name: str, z: Tensor | None, c: Tensor | None, *, joint: bool, multiplier: float) -> Tensor:
    """z and label to w: embed, normalise, dense layers."""
    parts = [] if z is None else [z]
    if c is not None:
        parts.append(c @ state[f"{name}.label_matrix"] if joint else dense(state, f"{name}.embed", c))
    x = plain.pixel_norm(torch.cat(parts, 1)) if joint else torch.cat([plain.pixel_norm(p) for p in parts], 1)
    index = 0
    while f"{name}.fc{index}.weight" in state:
        x = plain.leaky_relu(dense(state, f"{name}.fc{index}", x, multiplier))
        index += 1
    return x


def synthesis_layer(state: State, name: str, x: Tensor, w: Tensor, noise: Tensor | None, up: int) -> Tensor:
    """StyleGAN2 paper, Figure 2 (d): modulate, convolve, demodulate, noise, bias, leaky ReLU."""
    y = plain.modulated_conv2d(x, state[f"{name}.weight"], dense(state, f"{name}.affine", w), up=up)
    if noise is not None:
        y = y + noise * state[f"{name}.noise_strength"]
    return plain.leaky_relu(y + state[f"{name}.bias"][:, None, None])


def torgb(state: State, name: str, x: Tensor, w: Tensor) -> Tensor:
    """Modulated 1x1 convolution without demodulation."""
    weight = state[f"{name}.weight"] / math.sqrt(x.shape[1])
    y = plain.modulated_conv2d(x, weight, dense(state, f"{name}.affine", w), demodulate=False)
    return y + state[f"{name}.bias"][:, None, None]


def upsample(x: Tensor) -> Tensor:
    return plain.upfirdn2d(x, 4 * plain.fir().to(x.dtype), 2, 1, (2, 1, 2, 1))


def downsample(x: Tensor) -> Tensor:
    return plain.upfirdn2d(x, plain.fir().to(x.dtype), 1, 2, (1, 1, 1, 1))


def synthesis(
    state: State, ws: Tensor, noises: Sequence[Tensor | None], *, architecture: str, blocks: Sequence[str]
) -> Tensor:
    """StyleGAN2 paper, Figure 7: layer i of the list of convolutions uses ws[:, i], toRGB the style after its block."""
    root = "synthesis_network"
    x = state[f"{root}.{blocks[0]}.const"].expand(ws.shape[0], -1, -1, -1)
    image, layer = None, 0
    for index, block in enumerate(blocks):
        name, shortcut = f"{root}.{block}", x
        for conv, up in (("conv1", 1),) if index == 0 else (("conv0", 2), ("conv1", 1)):
            x = synthesis_layer(state, f"{name}.{conv}", x, ws[:, layer], noises[layer], up)
            layer += 1
        if architecture == "resnet" and index > 0:
            weight = state[f"{name}.skip.weight"] / math.sqrt(shortcut.shape[1])
            x = (x + upsample(F.conv2d(shortcut, weight))) / math.sqrt(2)
        if architecture == "skip" or index == len(blocks) - 1:
            rgb = torgb(state, f"{name}.torgb", x, ws[:, layer])
            image = rgb if image is None else upsample(image) + rgb
    assert image is not None
    return image


def growing_synthesis(
    state: State, ws: Tensor, noises: Sequence[Tensor | None], *, blocks: Sequence[str], lod: float
) -> Tensor:
    """ProGAN paper, Figure 2 (a to c): full-size pictures of all levels, of which the two that lod is between mix."""
    root, pictures = "synthesis_network", []
    x = state[f"{root}.{blocks[0]}.const"].expand(ws.shape[0], -1, -1, -1)
    for level, block in enumerate(blocks):
        name = f"{root}.{block}"
        if level:
            x = synthesis_layer(state, f"{name}.conv0", x, ws[:, 2 * level - 1], noises[2 * level - 1], 2)
        x = synthesis_layer(state, f"{name}.conv1", x, ws[:, 2 * level], noises[2 * level], 1)
        size = 2 ** (len(blocks) - 1 - level)
        rgb = torgb(state, f"{name}.torgb", x, ws[:, 2 * level + 1])
        pictures.insert(0, rgb.repeat_interleave(size, 2).repeat_interleave(size, 3))
    finer, coarser = pictures[math.floor(lod)], pictures[math.ceil(lod)]
    return finer + (coarser - finer) * (lod - math.floor(lod))


def discriminator(
    state: State,
    images: Tensor,
    c: Tensor | None,
    *,
    architecture: str,
    blocks: Sequence[str],
    group: int,
    num_features: int,
    coarse: float = 0.0,
) -> Tensor:
    """StyleGAN2 paper, Figure 7, with minibatch standard deviation and projection on the mapped label.

    `coarse` is the weight of pictures averaged over 2x2 pixels, seen by the second block, in what the first one made.
    """

    def act(name: str, y: Tensor) -> Tensor:
        return plain.leaky_relu(y + state[f"{name}.bias"][:, None, None])

    def fromrgb(block: str) -> Tensor:
        return act(f"{block}.fromrgb", convolution(state, f"{block}.fromrgb", image))

    image, x = images, None
    for index, block in enumerate([*blocks, "b4"]):
        if index == 1 and coarse:
            image = sum(images[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
            x = x + (fromrgb(block) - x) * coarse
        if x is None or architecture == "skip":
            x = fromrgb(block) if x is None else x + fromrgb(block)
        if block == "b4":
            break
        hidden = act(f"{block}.conv0", convolution(state, f"{block}.conv0", x))
        weight = state[f"{block}.conv1.weight"]
        down = plain.downsample_conv2d(hidden, weight / math.sqrt(weight[0].numel()), plain.fir().to(x.dtype))
        down = act(f"{block}.conv1", down)
        if architecture == "resnet":
            down = (down + convolution(state, f"{block}.skip", downsample(x))) / math.sqrt(2)
        x = down
        image = downsample(image)
    x = plain.minibatch_std(x, group, num_features) if num_features else x
    x = act("b4.conv", convolution(state, "b4.conv", x))
    logits = dense(state, "b4.out", plain.leaky_relu(dense(state, "b4.fc", x.flatten(1))))
    if c is None:
        return logits
    label = mapping(state, "mapping_network", None, c, joint=False, multiplier=0.01)
    return (logits * label).sum(1, keepdim=True) / math.sqrt(label.shape[1])
