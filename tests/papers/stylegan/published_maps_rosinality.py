"""The maps of StyleGAN as rosinality/style-based-gan-pytorch publishes them; see `published_maps`.

Every weight has a run-time gain of sqrt(2), also of linear layers and noise strengths; the constant has no bias; one
noise map serves both layers of a resolution; a merged doubling is a quarter as strong; the mapping network has no
learning rate multiplier; style scales hold their 1; biases come before blurs; variances have 1e-5 more; the minibatch
standard deviation compares the whole batch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain
from ops import plain_tensorflow as tf
from ops.plain_tensorflow import Tensors, draw
from papers.stylegan.published_maps import SQRT2, W

SIDES = (4, 8, 16, 32)
MERGED = (16,)
"""Sides whose doubling and halving are merged in these files; the program does so from 128 on."""
CHANNELS = {4: 6, 8: 6, 16: 4, 32: 2}


def generator(seed: int, *, trained: int = 16, has_biases_before_blurs: bool = True) -> Tensors:
    """Blocks above `trained` are as they were made: zero but for weights and styles."""
    rng = torch.Generator().manual_seed(seed)
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    blur = torch.outer(taps, taps)
    t: Tensors = {}
    for i in range(3):
        t |= {f"style.{2 * i + 1}.linear.weight_orig": draw(rng, W, W), f"style.{2 * i + 1}.linear.bias": draw(rng, W)}
    before = CHANNELS[4]
    for level, side in enumerate(SIDES):
        out, name, rgb = CHANNELS[side], f"generator.progression.{level}", f"generator.to_rgb.{level}.conv"
        new: Tensors = {}
        if level == 0:
            t[f"{name}.conv1.input"] = draw(rng, 1, out, 4, 4)
        elif side in MERGED:
            t |= {f"{name}.conv1.0.weight": draw(rng, before, out, 3, 3)}
            t |= {f"{name}.conv1.1.{leaf}": blur.expand(out, 1, 3, 3).clone() for leaf in ("weight", "weight_flip")}
            new[f"{name}.conv1.0.bias"] = draw(rng, out)
        else:
            t |= {f"{name}.conv1.1.conv.weight_orig": draw(rng, out, before, 3, 3)}
            t |= {f"{name}.conv1.2.{leaf}": blur.expand(out, 1, 3, 3).clone() for leaf in ("weight", "weight_flip")}
            new[f"{name}.conv1.1.conv.bias"] = draw(rng, out)
        t[f"{name}.conv2.conv.weight_orig"] = draw(rng, out, out, 3, 3)
        new[f"{name}.conv2.conv.bias"] = draw(rng, out)
        for n in (1, 2):
            new[f"{name}.noise{n}.weight_orig"] = draw(rng, 1, out, 1, 1)
            t[f"{name}.adain{n}.style.linear.weight_orig"] = draw(rng, 2 * out, W)
            t[f"{name}.adain{n}.style.linear.bias"] = draw(rng, 2 * out)
        t[f"{rgb}.weight_orig"] = draw(rng, 3, out, 1, 1)
        new[f"{rgb}.bias"] = draw(rng, 3)
        is_zero = [side > trained or (".conv1." in key and not has_biases_before_blurs) for key in new]
        t |= {key: torch.zeros_like(new[key]) if zero else new[key] for key, zero in zip(new, is_zero, strict=True)}
        before = out
    return t


def equalized(weight: Tensor) -> Tensor:
    """sqrt(2 / fan in) times what is stored; fan in by the second dimension and the kernel."""
    return weight * math.sqrt(2 / weight[0].numel())


def mapping(t: Tensors, z: Tensor) -> Tensor:
    x = plain.pixel_norm(z)
    for i in range(3):
        name = f"style.{2 * i + 1}.linear"
        x = tf.lrelu(x @ equalized(t[f"{name}.weight_orig"]).t() + t[f"{name}.bias"])
    return x


def synthesis(t: Tensors, w: Tensor, noises: list[Tensor], *, eps: float = 1e-5) -> Tensor:
    """`noises`: one [1, 1, H, W] a resolution; `eps`: what is added to variances."""
    x = t["generator.progression.0.conv1.input"].repeat(len(w), 1, 1, 1)
    for level, noise in enumerate(noises):
        name = f"generator.progression.{level}"
        if f"{name}.conv1.0.weight" in t:
            kernel = t[f"{name}.conv1.0.weight"]  # [in, out, 3, 3]
            kernel = kernel * math.sqrt(2 / (kernel.shape[0] * 9))
            four = tf.merged(kernel.permute(2, 3, 0, 1)).permute(2, 3, 0, 1) / 4
            x = tf.blur(F.conv_transpose2d(x, four, t[f"{name}.conv1.0.bias"], stride=2, padding=1))
        elif level:
            weight = equalized(t[f"{name}.conv1.1.conv.weight_orig"])
            x = tf.blur(F.conv2d(tf.repeat(x), weight, t[f"{name}.conv1.1.conv.bias"], padding=1))
        for n in (1, 2):
            if n == 2:
                weight = equalized(t[f"{name}.conv2.conv.weight_orig"])
                x = F.conv2d(x, weight, t[f"{name}.conv2.conv.bias"], padding=1)
            x = tf.lrelu(x + noise * equalized(t[f"{name}.noise{n}.weight_orig"]))
            style = f"{name}.adain{n}.style.linear"
            y = w @ equalized(t[f"{style}.weight_orig"]).t() + t[f"{style}.bias"]
            scale, shift = y[:, :, None, None].chunk(2, 1)
            deviation = (x.var((2, 3), unbiased=False, keepdim=True) + eps).sqrt()
            x = scale * (x - x.mean((2, 3), keepdim=True)) / deviation + shift
    rgb = f"generator.to_rgb.{len(noises) - 1}.conv"
    return F.conv2d(x, equalized(t[f"{rgb}.weight_orig"]), t[f"{rgb}.bias"])


def discriminator(seed: int, *, is_activated: bool = True, widths: dict[int, int] | None = None) -> Tensors:
    """The finest block first; a block goes from the width of its side to that of half of it in its first layer."""
    rng = torch.Generator().manual_seed(seed)
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    blur = torch.outer(taps, taps)
    widths = widths or dict.fromkeys(SIDES, 5)
    t: Tensors = {}
    for number, side in enumerate(SIDES[::-1]):
        name, i, o = f"progression.{number}", widths[side], widths[max(side // 2, 4)]
        rgb = f"from_rgb.{number}.0.conv" if is_activated else f"from_rgb.{number}.conv"
        t |= {f"{rgb}.weight_orig": draw(rng, i, 3, 1, 1), f"{rgb}.bias": draw(rng, i)}
        t |= {f"{name}.conv1.0.conv.weight_orig": draw(rng, o, i + (side == 4), 3, 3)}
        t |= {f"{name}.conv1.0.conv.bias": draw(rng, o)}
        if side == 4:
            t |= {f"{name}.conv2.0.conv.weight_orig": draw(rng, o, o, 4, 4), f"{name}.conv2.0.conv.bias": draw(rng, o)}
            continue
        t |= {f"{name}.conv2.0.{leaf}": blur.expand(o, 1, 3, 3).clone() for leaf in ("weight", "weight_flip")}
        second = f"{name}.conv2.1" if side in MERGED else f"{name}.conv2.1.conv"
        leaf = "weight" if side in MERGED else "weight_orig"
        t |= {f"{second}.{leaf}": draw(rng, o, o, 3, 3), f"{second}.bias": draw(rng, o)}
    return t | {"linear.linear.weight_orig": draw(rng, 1, widths[4]), "linear.linear.bias": draw(rng, 1)}


def logits(t: Tensors, images: Tensor) -> Tensor:
    """Of pictures as large as one of `SIDES`."""
    start = SIDES[::-1].index(images.shape[-1])

    def layer(name: str, x: Tensor, padding: int = 1) -> Tensor:
        return F.conv2d(x, equalized(t[f"{name}.weight_orig"]), t[f"{name}.bias"], padding=padding)

    x = tf.lrelu(layer(f"from_rgb.{start}.0.conv", images, 0))
    for number in range(start, len(SIDES) - 1):
        name = f"progression.{number}"
        x = tf.blur(tf.lrelu(layer(f"{name}.conv1.0.conv", x)))
        if f"{name}.conv2.1.weight" in t:
            four = tf.merged(equalized(t[f"{name}.conv2.1.weight"]).permute(2, 3, 0, 1)).permute(2, 3, 0, 1) / 4
            x = tf.lrelu(F.conv2d(x, four, t[f"{name}.conv2.1.bias"], stride=2, padding=1))
        else:
            x = tf.lrelu(tf.average(layer(f"{name}.conv2.1.conv", x)))
    deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1)
    last = f"progression.{len(SIDES) - 1}"
    x = tf.lrelu(layer(f"{last}.conv2.0.conv", tf.lrelu(layer(f"{last}.conv1.0.conv", x)), 0))
    return x.flatten(1) @ (t["linear.linear.weight_orig"] * SQRT2 / math.sqrt(x.shape[1])).t() + t["linear.linear.bias"]
