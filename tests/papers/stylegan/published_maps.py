"""The maps of StyleGAN as NVIDIA and genforce publish them, each computed from that program's own tensors.

Random tensors under the program's names and in its shapes, and a few lines of torch in double precision from them to
pictures and logits. Nothing of limner runs here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain
from ops import plain_tensorflow as tf
from ops.plain_tensorflow import Tensors, draw

Z, W = 5, 7
SQRT2 = math.sqrt(2)
Merged = Callable[[int], bool]
"""Whether doubling to this side, or halving from it, is one with its convolution."""


def automatic(side: int) -> bool:
    """What the programs do unless told otherwise."""
    return side >= 128


def sides(top: int) -> list[int]:
    return [4 << level for level in range(top.bit_length() - 2)]


def channels(side: int, top: int) -> int:
    return min(4 * top // side, 6)


def fmaps(top: int) -> dict[str, int]:
    """What gives `channels`: min(2 top * 2 / side, 6)."""
    return {"fmap_base": 2 * top, "fmap_max": 6}


# NVIDIA, TensorFlow


def tensorflow_generator(
    seed: int, *, top: int = 16, c_dim: int = 0, first: str = "Const", noise: bool = True, styles: bool = True
) -> Tensors:
    """`first`: what the base grid comes from, Const or Dense."""
    rng = torch.Generator().manual_seed(seed)
    t = {"dlatent_avg": draw(rng, W), "synthesis/lod": torch.zeros(())}
    features = Z + (Z if c_dim else 0)
    if c_dim:
        t["mapping/LabelConcat/weight"] = draw(rng, c_dim, Z)
    for i in range(3):
        t |= {f"mapping/Dense{i}/weight": draw(rng, features, W) * 100, f"mapping/Dense{i}/bias": draw(rng, W) * 30}
        features = W
    before = channels(4, top)
    for level, side in enumerate(sides(top)):
        out = channels(side, top)
        for number, layer in enumerate(("Conv0_up", "Conv1") if level else (first, "Conv"), 2 * level):
            name = f"synthesis/{side}x{side}/{layer}"
            if layer == "Const":
                t[f"{name}/const"] = draw(rng, 1, out, 4, 4)
            else:
                t[f"{name}/weight"] = draw(rng, W, out * 16) if layer == "Dense" else draw(rng, 3, 3, before, out)
            t[f"{name}/bias"] = draw(rng, out)
            if noise:
                t |= {f"{name}/Noise/weight": draw(rng, out), f"synthesis/noise{number}": draw(rng, 1, 1, side, side)}
            if styles:
                t |= {f"{name}/StyleMod/weight": draw(rng, W, 2 * out), f"{name}/StyleMod/bias": draw(rng, 2 * out)}
            before = out
        rgb = f"synthesis/ToRGB_lod{len(sides(top)) - 1 - level}"
        t |= {f"{rgb}/weight": draw(rng, 1, 1, out, 3), f"{rgb}/bias": draw(rng, 3)}
    return t


def mapping(z: Tensor, labels: Tensor | None, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Joined, then normalised together; layers of (weight [in, out], bias), the gain in the weight alone."""
    x = plain.pixel_norm(z if labels is None else torch.cat([z, labels], 1))
    for weight, bias in layers:
        x = tf.lrelu(x @ tf.he(weight, SQRT2) * 0.01 + bias * 0.01)
    return x


def tensorflow_mapping(t: Tensors, z: Tensor, c: Tensor | None) -> Tensor:
    layers = [(t[f"mapping/Dense{i}/weight"], t[f"mapping/Dense{i}/bias"]) for i in range(3)]
    return mapping(z, None if c is None else c @ t["mapping/LabelConcat/weight"], layers)


def truncated(w: Tensor, average: Tensor, psi: float, cutoff: int, num_ws: int) -> Tensor:
    """ws [N, num_ws, W]: the first `cutoff` moved towards the average."""
    ws = w[:, None].repeat(1, num_ws, 1)
    ws[:, :cutoff] = average + psi * (ws[:, :cutoff] - average)
    return ws


def normalised(x: Tensor) -> Tensor:
    """Every feature map to mean 0 and (biased) variance 1."""
    x = x - x.mean((2, 3), keepdim=True)
    return x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()


def tensorflow_synthesis(
    t: Tensors,
    ws: Tensor,
    *,
    top: int = 16,
    lod: float = 0.0,
    is_merged: Merged = automatic,
    is_blurred: bool = True,
    pixel_norm: bool = False,
    instance_norm: bool = True,
) -> Tensor:
    """Full-size pictures."""

    def epilogue(x: Tensor, name: str, number: int) -> Tensor:
        """Noise, bias, activation, normalisations, style (scale + 1 first, then shift)."""
        if f"{name}/Noise/weight" in t:
            x = x + t[f"synthesis/noise{number}"] * tf.per_channel(t[f"{name}/Noise/weight"])
        x = tf.lrelu(x + tf.per_channel(t[f"{name}/bias"]))
        x = plain.pixel_norm(x) if pixel_norm else x
        x = normalised(x) if instance_norm else x
        if f"{name}/StyleMod/weight" not in t:
            return x
        style = ws[:, number] @ tf.he(t[f"{name}/StyleMod/weight"], 1) + t[f"{name}/StyleMod/bias"]
        style = style.reshape(len(ws), 2, -1, 1, 1)
        return x * (style[:, 0] + 1) + style[:, 1]

    if "synthesis/4x4/Const/const" in t:
        x = epilogue(t["synthesis/4x4/Const/const"].repeat(len(ws), 1, 1, 1), "synthesis/4x4/Const", 0)
    else:
        x = (ws[:, 0] @ tf.he(t["synthesis/4x4/Dense/weight"], SQRT2 / 4)).reshape(len(ws), -1, 4, 4)
        x = epilogue(x, "synthesis/4x4/Dense", 0)
    pictures = []
    for level, side in enumerate(sides(top)):
        name = f"synthesis/{side}x{side}"
        if level:
            kernel = tf.he(t[f"{name}/Conv0_up/weight"], SQRT2)
            x = tf.transposed_up(x, kernel) if is_merged(side) else tf.conv(tf.repeat(x), kernel)
            x = epilogue(tf.blur(x) if is_blurred else x, f"{name}/Conv0_up", 2 * level)
        last = f"{name}/Conv1" if level else f"{name}/Conv"
        x = epilogue(tf.conv(x, tf.he(t[f"{last}/weight"], SQRT2)), last, 2 * level + 1)
        rgb = f"synthesis/ToRGB_lod{len(sides(top)) - 1 - level}"
        if f"{rgb}/weight" in t:
            image = tf.conv(x, tf.he(t[f"{rgb}/weight"], 1)) + tf.per_channel(t[f"{rgb}/bias"])
            pictures.append(tf.repeat(image, top // side))
    fine, share = len(pictures) - 1 - math.floor(lod), lod % 1
    return pictures[fine] if share == 0 else (1 - share) * pictures[fine] + share * pictures[fine - 1]


def tensorflow_discriminator(seed: int, *, top: int = 16, c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {"lod": torch.zeros(())}
    for level, side in enumerate(sides(top)):
        i, o = channels(side, top), channels(max(side // 2, 4), top)
        rgb, name = f"FromRGB_lod{len(sides(top)) - 1 - level}", f"{side}x{side}"
        t |= {f"{rgb}/weight": draw(rng, 1, 1, 3, i), f"{rgb}/bias": draw(rng, i)}
        if level:
            t |= {f"{name}/Conv0/weight": draw(rng, 3, 3, i, i), f"{name}/Conv0/bias": draw(rng, i)}
            t |= {f"{name}/Conv1_down/weight": draw(rng, 3, 3, i, o), f"{name}/Conv1_down/bias": draw(rng, o)}
    c, out = channels(4, top), max(c_dim, 1)
    t |= {"4x4/Conv/weight": draw(rng, 3, 3, c + 1, c), "4x4/Conv/bias": draw(rng, c)}
    t |= {"4x4/Dense0/weight": draw(rng, c * 16, c), "4x4/Dense0/bias": draw(rng, c)}
    return t | {"4x4/Dense1/weight": draw(rng, c, out), "4x4/Dense1/bias": draw(rng, out)}


def tensorflow_logits(
    t: Tensors,
    images: Tensor,
    c: Tensor | None = None,
    *,
    group: int = 4,
    lod: float = 0.0,
    top: int = 16,
    is_merged: Merged = automatic,
    is_blurred: bool = True,
) -> Tensor:
    """Of pictures at the resolution in use; the label picks one of several outputs."""

    def layer(name: str, x: Tensor, step: Callable[[Tensor, Tensor], Tensor] = tf.conv) -> Tensor:
        return tf.lrelu(step(x, tf.he(t[f"{name}/weight"], SQRT2)) + tf.per_channel(t[f"{name}/bias"]))

    first = math.floor(lod)
    x = layer(f"FromRGB_lod{first}", images)
    for number, side in enumerate(sides(top)[:0:-1]):
        if number < first:
            continue
        x = layer(f"{side}x{side}/Conv0", x)
        x = tf.blur(x) if is_blurred else x
        halve = tf.strided_down if is_merged(side) else lambda x, kernel: tf.average(tf.conv(x, kernel))
        x = layer(f"{side}x{side}/Conv1_down", x, halve)
        if number == first and lod % 1:
            x = (1 - lod % 1) * x + lod % 1 * layer(f"FromRGB_lod{first + 1}", tf.average(images))
    x = layer("4x4/Conv", plain.minibatch_std(x, group)).flatten(1)
    x = tf.lrelu(x @ tf.he(t["4x4/Dense0/weight"], SQRT2) + t["4x4/Dense0/bias"])
    scores = x @ tf.he(t["4x4/Dense1/weight"], 1) + t["4x4/Dense1/bias"]
    return scores if c is None else (scores * c).sum(1, keepdim=True)


# genforce: [out, in], [out, in, k, k]


def genforce_generator(seed: int, *, top: int = 16) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    num_layers = 2 * len(sides(top))
    t = {"truncation.w_avg": draw(rng, W), "truncation.truncation": torch.ones(1, num_layers, 1)}
    t["synthesis.lod"] = torch.zeros(())
    for i, features in enumerate((Z, W, W)):
        t |= {f"mapping.dense{i}.weight": draw(rng, W, features) * 100, f"mapping.dense{i}.bias": draw(rng, W) * 30}
    before = channels(4, top)
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    for number in range(num_layers):
        side, name = sides(top)[number // 2], f"synthesis.layer{number}"
        out = channels(side, top)
        if number == 0:
            t[f"{name}.const"] = draw(rng, 1, out, 4, 4)
        else:
            t[f"{name}.weight"] = draw(rng, out, before, 3, 3)
        if number and number % 2 == 0:
            t[f"{name}.blur.kernel"] = torch.outer(taps, taps).expand(out, 1, 3, 3).contiguous()
        t |= {f"{name}.bias": draw(rng, out), f"{name}.apply_noise.weight": draw(rng, out)}
        t |= {f"{name}.apply_noise.noise": draw(rng, 1, 1, side, side)}
        t |= {f"{name}.style.weight": draw(rng, 2 * out, W), f"{name}.style.bias": draw(rng, 2 * out)}
        before = out
        if number % 2:
            t |= {f"synthesis.output{number // 2}.weight": draw(rng, 3, out, 1, 1)}
            t |= {f"synthesis.output{number // 2}.bias": draw(rng, 3)}
    return t


def genforce_mapping(t: Tensors, z: Tensor) -> Tensor:
    return mapping(z, None, [(t[f"mapping.dense{i}.weight"].t(), t[f"mapping.dense{i}.bias"]) for i in range(3)])


def genforce_synthesis(t: Tensors, ws: Tensor, *, top: int = 16) -> Tensor:
    """Merged kernels are laid down as they are stored, at sides from 128 on."""
    x = t["synthesis.layer0.const"].repeat(len(ws), 1, 1, 1)
    for number in range(2 * len(sides(top))):
        name, side = f"synthesis.layer{number}", sides(top)[number // 2]
        if number:
            weight = t[f"{name}.weight"] * SQRT2 / math.sqrt(t[f"{name}.weight"][0].numel())
            if number % 2:
                x = F.conv2d(x, weight, padding=1)
            elif automatic(side):
                four = tf.merged(weight.permute(2, 3, 0, 1)).permute(3, 2, 0, 1)  # [in, out, 4, 4]
                x = tf.blur(F.conv_transpose2d(x, four, stride=2, padding=1))
            else:
                x = tf.blur(F.conv2d(tf.repeat(x), weight, padding=1))
        x = x + t[f"{name}.apply_noise.noise"] * tf.per_channel(t[f"{name}.apply_noise.weight"])
        x = normalised(tf.lrelu(x + tf.per_channel(t[f"{name}.bias"])))
        style = ws[:, number] @ t[f"{name}.style.weight"].t() / math.sqrt(W) + t[f"{name}.style.bias"]
        scale, shift = style[:, :, None, None].chunk(2, 1)
        x = x * (1 + scale) + shift
    rgb = f"synthesis.output{len(sides(top)) - 1}"
    weight = t[f"{rgb}.weight"]
    return F.conv2d(x, weight / math.sqrt(weight.shape[1])) + tf.per_channel(t[f"{rgb}.bias"])


def genforce_discriminator(t: Tensors, top: int = 16) -> Tensors:
    """A discriminator of NVIDIA's in genforce's names and order of axes."""
    names = {f"FromRGB_lod{level}": f"input{level}" for level in range(len(sides(top)))}
    layers = [f"{side}x{side}/{layer}" for side in sides(top)[:0:-1] for layer in ("Conv0", "Conv1_down")]
    layers += ["4x4/Conv", "4x4/Dense0", "4x4/Dense1"]
    names |= {name: f"layer{number}" for number, name in enumerate(layers)}
    renamed = {"lod": t["lod"]}
    for name, value in t.items():
        layer, _, leaf = name.rpartition("/")
        if layer:
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.t() if value.ndim == 2 else value
            renamed[f"{names[layer]}.{leaf}"] = value.contiguous()
    return renamed


# IDInvert, in torch: a w for every layer, a tanh at the end


def idinvert_generator(seed: int, *, top: int = 16) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    num_ws = 2 * len(sides(top))
    t = {"truncation.w_avg": draw(rng, num_ws * W), "truncation.truncation": torch.ones(1, num_ws, 1)}
    t["synthesis.lod"] = torch.zeros(())
    features = Z
    for i, width in enumerate((W, W, num_ws * W)):
        t |= {f"mapping.dense{i}.fc.weight": draw(rng, width, features) * 100}
        t |= {f"mapping.dense{i}.wscale.bias": draw(rng, width) * 30}
        features = width
    before = channels(4, top)
    for level, side in enumerate(sides(top)):
        out = channels(side, top)
        for number in (2 * level, 2 * level + 1):
            layer = f"synthesis.layer{number}"
            if number == 0:
                t[f"{layer}.const"] = draw(rng, 1, out, 4, 4)
            elif number % 2 == 0 and automatic(side):
                t[f"{layer}.weight"] = draw(rng, 3, 3, before, out)
            else:
                t[f"{layer}.conv.weight"] = draw(rng, out, before, 3, 3)
            if number % 2 == 0 and number:
                t[f"{layer}.blur.kernel"] = torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1]))[None, None] / 16
            t |= {f"{layer}.epilogue.bias": draw(rng, out), f"{layer}.epilogue.apply_noise.weight": draw(rng, out)}
            t[f"{layer}.epilogue.apply_noise.noise"] = draw(rng, 1, 1, side, side)
            t[f"{layer}.epilogue.style_mod.dense.fc.weight"] = draw(rng, 2 * out, W)
            t[f"{layer}.epilogue.style_mod.dense.wscale.bias"] = draw(rng, 2 * out)
            before = out
        t |= {f"synthesis.output{level}.conv.weight": draw(rng, 3, out, 1, 1)}
        t |= {f"synthesis.output{level}.bias": draw(rng, 3)}
    return t


def idinvert_as_tensorflow(t: Tensors, *, top: int = 16) -> Tensors:
    """The same network under the names of the program it was ported from."""
    named = {"dlatent_avg": t["truncation.w_avg"], "synthesis/lod": t["synthesis.lod"]}
    for i in range(3):
        named[f"mapping/Dense{i}/weight"] = t[f"mapping.dense{i}.fc.weight"].T
        named[f"mapping/Dense{i}/bias"] = t[f"mapping.dense{i}.wscale.bias"]
    for level, side in enumerate(sides(top)):
        for number, leaf in enumerate(("Conv0_up", "Conv1") if level else ("Const", "Conv"), 2 * level):
            name, layer = f"synthesis/{side}x{side}/{leaf}", f"synthesis.layer{number}"
            if number == 0:
                named[f"{name}/const"] = t[f"{layer}.const"]
            elif f"{layer}.weight" in t:
                named[f"{name}/weight"] = t[f"{layer}.weight"]
            else:
                named[f"{name}/weight"] = t[f"{layer}.conv.weight"].permute(2, 3, 1, 0)
            named[f"{name}/bias"] = t[f"{layer}.epilogue.bias"]
            named[f"{name}/Noise/weight"] = t[f"{layer}.epilogue.apply_noise.weight"]
            named[f"synthesis/noise{number}"] = t[f"{layer}.epilogue.apply_noise.noise"]
            named[f"{name}/StyleMod/weight"] = t[f"{layer}.epilogue.style_mod.dense.fc.weight"].T
            named[f"{name}/StyleMod/bias"] = t[f"{layer}.epilogue.style_mod.dense.wscale.bias"]
        rgb = f"synthesis/ToRGB_lod{len(sides(top)) - 1 - level}"
        named[f"{rgb}/weight"] = t[f"synthesis.output{level}.conv.weight"].permute(2, 3, 1, 0)
        named[f"{rgb}/bias"] = t[f"synthesis.output{level}.bias"]
    return named


def idinvert_pictures(t: Tensors, z: Tensor, psi: float, cutoff: int, *, top: int = 16) -> Tensor:
    """Pictures of a network under TensorFlow's names."""
    num_ws = 2 * len(sides(top))
    ws = tensorflow_mapping(t, z, None).reshape(len(z), num_ws, W)
    average = t["dlatent_avg"].reshape(num_ws, W)
    shown = average + psi * (ws - average)
    return torch.tanh(tensorflow_synthesis(t, torch.cat([shown[:, :cutoff], ws[:, cutoff:]], 1), top=top))
