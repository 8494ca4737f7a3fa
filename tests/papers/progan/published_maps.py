"""The maps of ProGAN as NVIDIA and genforce publish them, each computed from that program's own tensors.

Random tensors under the program's names and in its shapes, and a few lines of torch in double precision from them to
pictures and scores. Nothing of limner runs here.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain
from ops import plain_tensorflow as tf
from ops.plain_tensorflow import Tensors, draw

SIDES = (4, 8, 16)
CHANNELS = {4: 6, 8: 6, 16: 4}
FMAPS = {"fmap_base": 32, "fmap_max": 6}
"""What gives `CHANNELS`: min(32 * 2 / side, 6)."""
Z = 5
SQRT2 = math.sqrt(2)


# NVIDIA, TensorFlow. `merged`: Conv0_up [k, k, out, in] and Conv1_down, instead of Conv0 and Conv1


def tensorflow_generator(seed: int, *, merged: bool, c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    c = CHANNELS[4]
    t = {"lod": torch.zeros(()), "4x4/Dense/weight": draw(rng, Z + c_dim, c * 16), "4x4/Dense/bias": draw(rng, c)}
    t |= {"4x4/Conv/weight": draw(rng, 3, 3, c, c), "4x4/Conv/bias": draw(rng, c)}
    for level, side in enumerate(SIDES):
        i, o = CHANNELS[SIDES[max(level - 1, 0)]], CHANNELS[side]
        if level:
            up = f"{side}x{side}/{'Conv0_up' if merged else 'Conv0'}"
            t |= {f"{up}/weight": draw(rng, 3, 3, *((o, i) if merged else (i, o))), f"{up}/bias": draw(rng, o)}
            t |= {f"{side}x{side}/Conv1/weight": draw(rng, 3, 3, o, o), f"{side}x{side}/Conv1/bias": draw(rng, o)}
        rgb = f"ToRGB_lod{len(SIDES) - 1 - level}"
        t |= {f"{rgb}/weight": draw(rng, 1, 1, o, 3), f"{rgb}/bias": draw(rng, 3)}
    return t


def tensorflow_images(
    t: Tensors, z: Tensor, c: Tensor | None, *, lod: float = 0.0, pixelnorm: bool = True, leaky: bool = True
) -> Tensor:
    """Full-size pictures: label joined, normalised, a gain of sqrt(2) / 4, activation before normalization."""

    def finish(x: Tensor, name: str) -> Tensor:
        x = x + tf.per_channel(t[f"{name}/bias"])
        x = tf.lrelu(x) if leaky else x.clamp(min=0)
        return plain.pixel_norm(x) if pixelnorm else x

    x = plain.pixel_norm(z if c is None else torch.cat([z, c], 1))
    x = x @ t["4x4/Dense/weight"] * (SQRT2 / 4 / math.sqrt(x.shape[1]))
    x = finish(x.reshape(len(z), -1, 4, 4), "4x4/Dense")
    pictures = []
    for level, side in enumerate(SIDES):
        name = f"{side}x{side}"
        if level == 0:
            x = finish(tf.conv(x, tf.he(t["4x4/Conv/weight"], SQRT2)), "4x4/Conv")
        else:
            if f"{name}/Conv0_up/weight" in t:
                stored = t[f"{name}/Conv0_up/weight"]
                kernel = tf.he(stored.transpose(2, 3), SQRT2)
                x = finish(tf.transposed_up(x, kernel), f"{name}/Conv0_up")
            else:
                x = finish(tf.conv(tf.repeat(x), tf.he(t[f"{name}/Conv0/weight"], SQRT2)), f"{name}/Conv0")
            x = finish(tf.conv(x, tf.he(t[f"{name}/Conv1/weight"], SQRT2)), f"{name}/Conv1")
        rgb = f"ToRGB_lod{len(SIDES) - 1 - level}"
        image = tf.conv(x, tf.he(t[f"{rgb}/weight"], 1)) + tf.per_channel(t[f"{rgb}/bias"])
        pictures.append(tf.repeat(image, SIDES[-1] // side))
    fine, share = len(SIDES) - 1 - math.floor(lod), lod % 1
    return pictures[fine] if share == 0 else (1 - share) * pictures[fine] + share * pictures[fine - 1]


def tensorflow_discriminator(seed: int, *, merged: bool, c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {"lod": torch.zeros(())}
    for level, side in enumerate(SIDES):
        i, o = CHANNELS[side], CHANNELS[SIDES[max(level - 1, 0)]]
        rgb = f"FromRGB_lod{len(SIDES) - 1 - level}"
        t |= {f"{rgb}/weight": draw(rng, 1, 1, 3, i), f"{rgb}/bias": draw(rng, i)}
        if level:
            down = f"{side}x{side}/{'Conv1_down' if merged else 'Conv1'}"
            t |= {f"{side}x{side}/Conv0/weight": draw(rng, 3, 3, i, i), f"{side}x{side}/Conv0/bias": draw(rng, i)}
            t |= {f"{down}/weight": draw(rng, 3, 3, i, o), f"{down}/bias": draw(rng, o)}
    c = CHANNELS[4]
    t |= {"4x4/Conv/weight": draw(rng, 3, 3, c + 1, c), "4x4/Conv/bias": draw(rng, c)}
    t |= {"4x4/Dense0/weight": draw(rng, c * 16, c), "4x4/Dense0/bias": draw(rng, c)}
    return t | {"4x4/Dense1/weight": draw(rng, c, 1 + c_dim), "4x4/Dense1/bias": draw(rng, 1 + c_dim)}


def tensorflow_outputs(t: Tensors, images: Tensor, *, group: int, lod: float = 0.0) -> Tensor:
    """Score and logits of classes [N, 1 + c_dim] of pictures at the resolution in use.

    Conv1 is a layer of its own, so halving follows its activation; Conv1_down halves before bias and activation.
    """

    def layer(name: str, x: Tensor, step=tf.conv) -> Tensor:
        return tf.lrelu(step(x, tf.he(t[f"{name}/weight"], SQRT2)) + tf.per_channel(t[f"{name}/bias"]))

    first = math.floor(lod)
    x = layer(f"FromRGB_lod{first}", images)
    for number, side in enumerate(SIDES[:0:-1]):
        if number < first:
            continue
        name = f"{side}x{side}"
        x = layer(f"{name}/Conv0", x)
        if f"{name}/Conv1_down/weight" in t:
            x = layer(f"{name}/Conv1_down", x, tf.strided_down)
        else:
            x = tf.average(layer(f"{name}/Conv1", x))
        if number == first and lod % 1:
            x = (1 - lod % 1) * x + lod % 1 * layer(f"FromRGB_lod{first + 1}", tf.average(images))
    x = layer("4x4/Conv", plain.minibatch_std(x, group)).flatten(1)
    x = tf.lrelu(x @ tf.he(t["4x4/Dense0/weight"], SQRT2) + t["4x4/Dense0/bias"])
    return x @ tf.he(t["4x4/Dense1/weight"], 1) + t["4x4/Dense1/bias"]


# genforce: [out, in, k, k]; the first dense layer is a 4 x 4 convolution of one pixel with 3 pixels around it


def genforce_generator(seed: int) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    c = CHANNELS[4]
    t = {"lod": torch.zeros(()), "layer0.weight": draw(rng, c, Z, 4, 4), "layer0.bias": draw(rng, c)}
    t |= {"layer1.weight": draw(rng, c, c, 3, 3), "layer1.bias": draw(rng, c)}
    for level, side in enumerate(SIDES):
        i, o = CHANNELS[SIDES[max(level - 1, 0)]], CHANNELS[side]
        if level:
            t |= {f"layer{2 * level}.weight": draw(rng, o, i, 3, 3), f"layer{2 * level}.bias": draw(rng, o)}
            t |= {f"layer{2 * level + 1}.weight": draw(rng, o, o, 3, 3), f"layer{2 * level + 1}.bias": draw(rng, o)}
        t |= {f"output{level}.weight": draw(rng, 3, o, 1, 1), f"output{level}.bias": draw(rng, 3)}
    return t


def genforce_images(t: Tensors, z: Tensor) -> Tensor:
    def layer(name: str, x: Tensor, gain: float, padding: int) -> Tensor:
        weight = t[f"{name}.weight"]
        fan_in = weight.shape[1] if name == "layer0" else weight[0].numel()
        y = F.conv2d(x, weight * gain / math.sqrt(fan_in), padding=padding)
        return y + tf.per_channel(t[f"{name}.bias"])

    x = plain.pixel_norm(tf.lrelu(layer("layer0", plain.pixel_norm(z)[:, :, None, None], SQRT2 / 4, 3)))
    x = plain.pixel_norm(tf.lrelu(layer("layer1", x, SQRT2, 1)))
    for level in range(1, len(SIDES)):
        x = plain.pixel_norm(tf.lrelu(layer(f"layer{2 * level}", tf.repeat(x), SQRT2, 1)))
        x = plain.pixel_norm(tf.lrelu(layer(f"layer{2 * level + 1}", x, SQRT2, 1)))
    return layer(f"output{len(SIDES) - 1}", x, 1, 0)


GENFORCE_D = {
    "FromRGB_lod0": "input0",
    "16x16/Conv0": "layer0",
    "16x16/Conv1": "layer1",
    "FromRGB_lod1": "input1",
    "8x8/Conv0": "layer2",
    "8x8/Conv1": "layer3",
    "FromRGB_lod2": "input2",
    "4x4/Conv": "layer4",
    "4x4/Dense0": "layer5",
    "4x4/Dense1": "layer6",
}


def genforce_discriminator(t: Tensors) -> Tensors:
    """An unmerged discriminator of NVIDIA's in genforce's names and order of axes."""
    renamed = {"lod": t["lod"]}
    for name, value in t.items():
        layer, _, leaf = name.rpartition("/")
        if layer:
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.t() if value.ndim == 2 else value
            renamed[f"{GENFORCE_D[layer]}.{leaf}"] = value.contiguous()
    return renamed
