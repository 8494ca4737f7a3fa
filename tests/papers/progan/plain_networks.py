"""The networks of ProGAN written out a second time, slowly, from the paper's table of layers.

They take a state dict and compute in its precision with torch's own differentiable functions: pixels repeated, then
convolved; convolved, then averaged; one operation after the other. Nothing of limner runs here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain

State = Mapping[str, Tensor]
Function = Callable[[Tensor], Tensor]


def he(weight: Tensor, *, gain: float = math.sqrt(2), equalized: bool = True) -> Tensor:
    """The weight a layer uses: gain / sqrt(fan in) times what is stored, or what is stored."""
    return weight * gain / math.sqrt(weight[0].numel()) if equalized else weight


def leaky_relu(x: Tensor) -> Tensor:
    """Slope 0.2, no gain."""
    return torch.where(x > 0, x, 0.2 * x)


def repeat(x: Tensor, factor: int = 2) -> Tensor:
    """Every pixel `factor` times in both directions."""
    return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def average(x: Tensor) -> Tensor:
    """The mean of every 2 x 2 pixels."""
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def per_channel(bias: Tensor) -> Tensor:
    return bias[:, None, None]


def batch_norm(x: Tensor, state: State, name: str) -> Tensor:
    """By the statistics of the batch."""
    x = x - x.mean((0, 2, 3), keepdim=True)
    x = x / (x.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    return x * per_channel(state[f"{name}.weight"]) + per_channel(state[f"{name}.bias"])


def layer_norm(x: Tensor, state: State, name: str) -> Tensor:
    """By the statistics of every sample."""
    x = x - x.mean((1, 2, 3), keepdim=True)
    x = x / (x.square().mean((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    return x * per_channel(state[f"{name}.weight"]) + per_channel(state[f"{name}.bias"])


def generator(
    state: State,
    w: Tensor,
    *,
    blocks: list[str],
    grid: tuple[int, int],
    lod: float = 0.0,
    normalization: str = "pixel",
    activation: str = "lrelu",
    tanh: bool = False,
    equalized: bool = True,
) -> Tensor:
    """Full-size pictures [N, C, H, W] of w [N, w_dim]; `blocks` from the base grid to full resolution."""
    act: Function = torch.relu if activation == "relu" else leaky_relu

    def finish(name: str, y: Tensor) -> Tensor:
        if normalization == "batch":
            return act(batch_norm(y, state, f"{name}.batch_norm"))
        return plain.pixel_norm(act(y)) if normalization == "pixel" else act(y)

    def convolution(name: str, x: Tensor) -> Tensor:
        y = F.conv2d(x, he(state[f"{name}.weight"], equalized=equalized), padding=1)
        y = y if normalization == "batch" else y + per_channel(state[f"{name}.bias"])
        return finish(f"{name}.finish", y)

    def torgb(block: str, x: Tensor) -> Tensor:
        weight = he(state[f"{root}.{block}.torgb.weight"], gain=1, equalized=equalized)
        return F.conv2d(x, weight) + per_channel(state[f"{root}.{block}.torgb.bias"])

    root = "synthesis_network"
    gain = math.sqrt(2) / math.sqrt(grid[0] * grid[1])
    x = w @ he(state[f"{root}.b4.dense.weight"], gain=gain, equalized=equalized).t()
    x = x.reshape(len(w), -1, *grid)
    x = x if normalization == "batch" else x + per_channel(state[f"{root}.b4.bias"])
    features = [convolution(f"{root}.b4.conv", finish(f"{root}.b4.finish", x))]
    for block in blocks[1:]:
        x = convolution(f"{root}.{block}.conv0", repeat(features[-1]))
        features.append(convolution(f"{root}.{block}.conv1", x))
    sizes = [
        repeat(torgb(block, x), 2 ** (len(blocks) - 1 - level))
        for level, (block, x) in enumerate(zip(blocks, features, strict=True))
    ]
    finer, coarser = len(blocks) - 1 - math.floor(lod), len(blocks) - 1 - math.ceil(lod)
    weight = lod - math.floor(lod)
    image = (1 - weight) * sizes[finer] + weight * sizes[coarser]
    return torch.tanh(image) if tanh else image


def discriminator(
    state: State,
    images: Tensor,
    *,
    blocks: list[str],
    group: int,
    num_features: int = 1,
    lod: float = 0.0,
    normalization: str = "none",
    mbdisc_kernels: int = 0,
    equalized: bool = True,
    fused_scale: bool = True,
) -> Tensor:
    """Scores and class logits [N, 1 + c_dim]; `blocks` from full resolution to the base grid."""

    def halve_and_act(name: str, y: Tensor, halve: Function) -> Tensor:
        y = halve(y) if fused_scale else y
        if normalization == "layer":
            y = layer_norm(y, state, f"{name}.norm")
        else:
            y = y + per_channel(state[f"{name}.bias"])
        return leaky_relu(y) if fused_scale else halve(leaky_relu(y))

    def convolution(name: str, x: Tensor, halve: Function = lambda y: y) -> Tensor:
        y = F.conv2d(x, he(state[f"{name}.weight"], equalized=equalized), padding=1)
        return halve_and_act(name, y, halve)

    def fromrgb(block: str, picture: Tensor) -> Tensor:
        y = F.conv2d(picture, he(state[f"{block}.fromrgb.weight"], equalized=equalized))
        return leaky_relu(y + per_channel(state[f"{block}.fromrgb.bias"]))

    def dense(name: str, x: Tensor, gain: float) -> Tensor:
        return x @ he(state[f"{name}.weight"], gain=gain, equalized=equalized).t() + state[f"{name}.bias"]

    first, weight = math.floor(lod), lod - math.floor(lod)
    x = fromrgb(blocks[first], images)
    for index in range(first, len(blocks) - 1):
        block = blocks[index]
        x = convolution(f"{block}.conv1", convolution(f"{block}.conv0", x), average)
        if index == first and weight:
            x = (1 - weight) * x + weight * fromrgb(blocks[index + 1], average(images))
    x = plain.minibatch_std(x, group, num_features) if num_features else x
    x = convolution("b4.conv", x)
    x = leaky_relu(dense("b4.fc", x.flatten(1), math.sqrt(2)))
    if mbdisc_kernels:
        x = minibatch_discrimination(x, state["b4.mbdisc.weight"], mbdisc_kernels)
    return dense("b4.out", x, 1)


def minibatch_discrimination(x: Tensor, weight: Tensor, kernels: int) -> Tensor:
    """Salimans et al. 2016, Section 3.2, by loops over pairs of samples."""
    projected = (x @ weight).reshape(len(x), kernels, -1)
    rows = [torch.stack([torch.exp(-(mine - other).abs().sum(1)) for other in projected]).sum(0) for mine in projected]
    return torch.cat([x, torch.stack(rows)], 1)
