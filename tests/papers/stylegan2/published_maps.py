"""The maps of StyleGAN2 as four programs publish them, each computed from that program's own tensors.

Random tensors under the program's names and in its shapes, and a few lines of torch in double precision from them to
pictures and logits. Nothing of limner runs here; the steps are those of `ops.plain`, which inserts zeros and filters.
What differs between programs: names, the order of axes, whether kernels are turned, what style biases leave out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ops import plain

Tensors = dict[str, Tensor]
SIDES = (4, 8, 16)
CHANNELS = {4: 8, 8: 8, 16: 6}
Z, W = 5, 7


def draw(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng)


# The steps, in the published order


def dense(x: Tensor, weight: Tensor, bias: Tensor, multiplier: float = 1.0) -> Tensor:
    """weight [in, out]."""
    return (x @ weight / math.sqrt(weight.shape[0]) + bias) * multiplier


def upsample(x: Tensor) -> Tensor:
    return plain.upfirdn2d(x, 4 * plain.fir(), 2, 1, (2, 1, 2, 1))


def downsample(x: Tensor) -> Tensor:
    return plain.upfirdn2d(x, plain.fir(), 1, 2, (1, 1, 1, 1))


def styled(
    x: Tensor, kernel: Tensor, s: Tensor, bias: Tensor, noise: Tensor, *, up: bool, demodulate: bool = True
) -> Tensor:
    """Modulate, (upsample and) correlate with kernel [O, I, k, k], demodulate, add noise, then bias."""
    y = []
    for sample, style in zip(x, s, strict=True):
        own = kernel * style[None, :, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        turned = own.flip((2, 3))  # plain.upsample_conv2d turns it back
        y.append(
            plain.upsample_conv2d(sample[None], turned, plain.fir())
            if up
            else F.conv2d(sample[None], own, padding=kernel.shape[-1] // 2)
        )
    return torch.cat(y) + noise + bias[:, None, None]


@dataclass
class Layer:
    """A convolution as its program publishes it, brought to one form by a few words of its own."""

    kernel: Tensor
    """[O, I, k, k], what the upsampled or plain picture is correlated with."""
    bias: Tensor
    style: Callable[[Tensor], Tensor]
    """w [N, W] to s [N, I]."""
    noise: Tensor | float = 0.0


def synthesis(
    const: Tensor, layers: dict[str, Layer], skips: dict[int, Tensor], ws: Tensor, *, architecture: str
) -> Tensor:
    """StyleGAN2 paper, Figure 7; layer i takes ws[:, i], toRGB the style after its block's last."""
    x, image, index = const[None].expand(len(ws), -1, -1, -1), None, 0
    for side in SIDES:
        before = x
        for name in ("conv1",) if side == 4 else ("conv0", "conv1"):
            layer = layers[f"{side}.{name}"]
            x = styled(x, layer.kernel, layer.style(ws[:, index]), layer.bias, layer.noise, up=name == "conv0")
            x = plain.leaky_relu(x)
            index += 1
        if architecture == "resnet" and side > 4:
            shortcut = upsample(F.conv2d(before, skips[side] / math.sqrt(before.shape[1])))
            x = (x + shortcut) / math.sqrt(2)
        if architecture == "skip" or side == SIDES[-1]:
            layer = layers[f"{side}.torgb"]
            s = layer.style(ws[:, index]) / math.sqrt(x.shape[1])
            rgb = styled(x, layer.kernel, s, layer.bias, 0.0, up=False, demodulate=False)
            image = rgb if image is None else upsample(image) + rgb
    return image


def truncated(w: Tensor, average: Tensor, psi: float, cutoff: int) -> Tensor:
    """ws [N, 6, W]: the first `cutoff` styles moved to the average."""
    ws = w[:, None].repeat(1, 2 * len(SIDES), 1)
    ws[:, :cutoff] = average + psi * (ws[:, :cutoff] - average)
    return ws


# NVIDIA, TensorFlow: [in, out], [k, k, in, out], correlation with the stored kernel, bias of styles without their 1


def tensorflow_generator(seed: int, *, architecture: str = "skip", labels: str = "", c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t = {"dlatent_avg": draw(rng, W), "lod": torch.zeros(())}
    features = Z + (W if labels else 0)
    if labels == "LabelConcat":
        t["mapping/LabelConcat/weight"] = draw(rng, c_dim, W)
    elif labels == "LabelEmbed":
        t |= {"mapping/LabelEmbed/weight": draw(rng, c_dim, W), "mapping/LabelEmbed/bias": draw(rng, W)}
    for i in range(3):
        t |= {f"mapping/Dense{i}/weight": draw(rng, features, W) * 100, f"mapping/Dense{i}/bias": draw(rng, W) * 30}
        features = W
    t["synthesis/4x4/Const/const"] = draw(rng, 1, CHANNELS[4], 4, 4)
    count, channels = 0, CHANNELS[4]
    for level, side in enumerate(SIDES):
        name, out = f"synthesis/{side}x{side}", CHANNELS[side]
        if architecture == "resnet" and side > 4:
            t[f"{name}/Skip/weight"] = draw(rng, 1, 1, channels, out)
        for layer in ("Conv",) if side == 4 else ("Conv0_up", "Conv1"):
            t |= {
                f"{name}/{layer}/weight": draw(rng, 3, 3, channels, out),
                f"{name}/{layer}/bias": draw(rng, out),
                f"{name}/{layer}/noise_strength": draw(rng),
                f"{name}/{layer}/mod_weight": draw(rng, W, channels),
                f"{name}/{layer}/mod_bias": draw(rng, channels),
                f"synthesis/noise{count}": draw(rng, 1, 1, side, side),
            }
            count, channels = count + 1, out
        growing = architecture == "growing"
        if architecture == "skip" or growing or side == SIDES[-1]:
            rgb = f"synthesis/ToRGB_lod{len(SIDES) - 1 - level}" if growing else f"{name}/ToRGB"
            t |= {
                f"{rgb}/weight": draw(rng, 1, 1, channels, 3),
                f"{rgb}/bias": draw(rng, 3),
                f"{rgb}/mod_weight": draw(rng, W, channels),
                f"{rgb}/mod_bias": draw(rng, channels),
            }
    return t


def tensorflow_mapping(t: Tensors, z: Tensor, c: Tensor | None) -> Tensor:
    if "mapping/LabelConcat/weight" in t:  # StyleGAN2: normalised together
        z = plain.pixel_norm(torch.cat([z, c @ t["mapping/LabelConcat/weight"]], 1))
    elif "mapping/LabelEmbed/weight" in t:  # ADA: each by itself
        embedded = dense(c, t["mapping/LabelEmbed/weight"], t["mapping/LabelEmbed/bias"])
        z = torch.cat([plain.pixel_norm(z), plain.pixel_norm(embedded)], 1)
    else:
        z = plain.pixel_norm(z)
    for i in range(3):
        z = plain.leaky_relu(dense(z, t[f"mapping/Dense{i}/weight"], t[f"mapping/Dense{i}/bias"], 0.01))
    return z


def tensorflow_synthesis(t: Tensors, ws: Tensor, architecture: str) -> Tensor:
    def layer(name: str, noise: int | None) -> Layer:
        strength = 0.0 if noise is None else t[f"{name}/noise_strength"] * t[f"synthesis/noise{noise}"]
        return Layer(
            t[f"{name}/weight"].permute(3, 2, 0, 1),
            t[f"{name}/bias"],
            lambda w: dense(w, t[f"{name}/mod_weight"], t[f"{name}/mod_bias"]) + 1,
            strength,
        )

    layers = {"4.conv1": layer("synthesis/4x4/Conv", 0)}
    for level, side in enumerate(SIDES[1:], 1):
        layers[f"{side}.conv0"] = layer(f"synthesis/{side}x{side}/Conv0_up", 2 * level - 1)
        layers[f"{side}.conv1"] = layer(f"synthesis/{side}x{side}/Conv1", 2 * level)
    for level, side in enumerate(SIDES):
        rgb = f"synthesis/ToRGB_lod{len(SIDES) - 1 - level}" if architecture == "growing" else None
        rgb = rgb or f"synthesis/{side}x{side}/ToRGB"
        if f"{rgb}/weight" in t:
            layers[f"{side}.torgb"] = layer(rgb, None)
    skips = {
        side: t[f"synthesis/{side}x{side}/Skip/weight"].permute(3, 2, 0, 1)
        for side in SIDES[1:]
        if f"synthesis/{side}x{side}/Skip/weight" in t
    }
    return synthesis(t["synthesis/4x4/Const/const"][0], layers, skips, ws, architecture=architecture)


def tensorflow_discriminator(seed: int, *, architecture: str = "resnet", c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {}
    if c_dim:
        t |= {"LabelEmbed/weight": draw(rng, c_dim, CHANNELS[4]), "LabelEmbed/bias": draw(rng, CHANNELS[4])}
    for level, side in enumerate(SIDES[::-1]):
        name, channels, coarser = f"{side}x{side}", CHANNELS[side], CHANNELS[max(side // 2, 4)]
        if level == 0 or architecture in ("skip", "growing"):
            rgb = f"FromRGB_lod{level}" if architecture == "growing" else f"{name}/FromRGB"
            t |= {f"{rgb}/weight": draw(rng, 1, 1, 3, channels), f"{rgb}/bias": draw(rng, channels)}
        if side == 4:
            continue
        t |= {f"{name}/Conv0/weight": draw(rng, 3, 3, channels, channels), f"{name}/Conv0/bias": draw(rng, channels)}
        t |= {f"{name}/Conv1_down/weight": draw(rng, 3, 3, channels, coarser)}
        t |= {f"{name}/Conv1_down/bias": draw(rng, coarser)}
        if architecture == "resnet":
            t |= {f"{name}/Skip/weight": draw(rng, 1, 1, channels, coarser)}
    c = CHANNELS[4]
    t |= {"4x4/Conv/weight": draw(rng, 3, 3, c + 1, c), "4x4/Conv/bias": draw(rng, c)}
    t |= {"4x4/Dense0/weight": draw(rng, c * 16, c), "4x4/Dense0/bias": draw(rng, c)}
    out = c if c_dim else 1
    return t | {"Output/weight": draw(rng, c, out), "Output/bias": draw(rng, out)}


def tensorflow_logits(t: Tensors, images: Tensor, c: Tensor | None, *, architecture: str, group: int) -> Tensor:
    def conv(name: str, x: Tensor) -> Tensor:
        kernel = t[f"{name}/weight"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel / math.sqrt(kernel[0].numel()), padding=kernel.shape[-1] // 2)

    def act(name: str, y: Tensor) -> Tensor:
        return plain.leaky_relu(y + t[f"{name}/bias"][:, None, None])

    x = None
    for side in SIDES[::-1]:
        rgb = "FromRGB_lod0" if architecture == "growing" else f"{side}x{side}/FromRGB"
        if x is None or architecture == "skip":
            seen = act(rgb, conv(rgb, images))
            x = seen if x is None else x + seen
        if side == 4:
            break
        name = f"{side}x{side}"
        kernel = t[f"{name}/Conv1_down/weight"].permute(3, 2, 0, 1)
        y = act(f"{name}/Conv0", conv(f"{name}/Conv0", x))
        y = plain.downsample_conv2d(y, kernel / math.sqrt(kernel[0].numel()), plain.fir())
        y = act(f"{name}/Conv1_down", y)
        if architecture == "resnet":
            y = (y + conv(f"{name}/Skip", downsample(x))) / math.sqrt(2)
        x, images = y, downsample(images)
    x = act("4x4/Conv", conv("4x4/Conv", plain.minibatch_std(x, group)))
    x = plain.leaky_relu(dense(x.flatten(1), t["4x4/Dense0/weight"], t["4x4/Dense0/bias"]))
    scores = dense(x, t["Output/weight"], t["Output/bias"])
    if c is None:
        return scores
    label = plain.pixel_norm(dense(c, t["LabelEmbed/weight"], t["LabelEmbed/bias"]))
    return (scores * label).sum(1, keepdim=True) / math.sqrt(label.shape[1])


# NVIDIA, PyTorch: [out, in], [out, in, k, k], true convolution after upsampling, full bias of styles


def pytorch_generator(seed: int, *, architecture: str = "skip", c_dim: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {"mapping.w_avg": draw(rng, W)}
    features = Z + (W if c_dim else 0)
    if c_dim:
        t |= {"mapping.embed.weight": draw(rng, W, c_dim), "mapping.embed.bias": draw(rng, W)}
    for i in range(3):
        t |= {f"mapping.fc{i}.weight": draw(rng, W, features) * 100, f"mapping.fc{i}.bias": draw(rng, W) * 30}
        features = W
    t["synthesis.b4.const"] = draw(rng, CHANNELS[4], 4, 4)
    channels = CHANNELS[4]
    for side in SIDES:
        name, out = f"synthesis.b{side}", CHANNELS[side]
        t[f"{name}.resample_filter"] = plain.fir().float()
        if architecture == "resnet" and side > 4:
            t[f"{name}.skip.weight"] = draw(rng, out, channels, 1, 1)
            t[f"{name}.skip.resample_filter"] = plain.fir().float()
        layers = [("conv1", out, 3)] if side == 4 else [("conv0", out, 3), ("conv1", out, 3)]
        for layer, outputs, k in [*layers, ("torgb", 3, 1)]:
            if layer == "torgb" and architecture != "skip" and side != SIDES[-1]:
                continue
            t |= {
                f"{name}.{layer}.weight": draw(rng, outputs, channels, k, k),
                f"{name}.{layer}.bias": draw(rng, outputs),
                f"{name}.{layer}.affine.weight": draw(rng, channels, W),
                f"{name}.{layer}.affine.bias": draw(rng, channels),
            }
            if layer != "torgb":
                t[f"{name}.{layer}.noise_strength"] = draw(rng)
                t[f"{name}.{layer}.noise_const"] = draw(rng, side, side)
                t[f"{name}.{layer}.resample_filter"] = plain.fir().float()
                channels = out
    return t


def pytorch_mapping(t: Tensors, z: Tensor, c: Tensor | None) -> Tensor:
    x = plain.pixel_norm(z)
    if c is not None:
        x = torch.cat([x, plain.pixel_norm(dense(c, t["mapping.embed.weight"].t(), t["mapping.embed.bias"]))], 1)
    for i in range(3):
        x = plain.leaky_relu(dense(x, t[f"mapping.fc{i}.weight"].t(), t[f"mapping.fc{i}.bias"], 0.01))
    return x


def pytorch_synthesis(t: Tensors, ws: Tensor, architecture: str) -> Tensor:
    layers: dict[str, Layer] = {}
    for side in SIDES:
        for name in ("conv0", "conv1", "torgb"):
            key = f"synthesis.b{side}.{name}"
            if f"{key}.weight" not in t:
                continue
            weight = t[f"{key}.weight"]
            layers[f"{side}.{name}"] = Layer(
                weight.flip((2, 3)) if name == "conv0" else weight,
                t[f"{key}.bias"],
                lambda w, key=key: dense(w, t[f"{key}.affine.weight"].t(), t[f"{key}.affine.bias"]),
                t[f"{key}.noise_const"] * t[f"{key}.noise_strength"] if name != "torgb" else 0.0,
            )
    skips = {s: t[f"synthesis.b{s}.skip.weight"] for s in SIDES if f"synthesis.b{s}.skip.weight" in t}
    return synthesis(t["synthesis.b4.const"], layers, skips, ws, architecture=architecture)


def pytorch_discriminator(seed: int, *, architecture: str = "resnet", c_dim: int = 0) -> Tensors:
    """The TensorFlow one in PyTorch's names and order of axes, with a mapping network of 2 layers for labels."""
    rng = torch.Generator().manual_seed(seed)
    names = {
        "FromRGB": "fromrgb",
        "Conv0": "conv0",
        "Conv1_down": "conv1",
        "Skip": "skip",
        "Conv": "conv",
        "Dense0": "fc",
    }
    t: Tensors = {}
    for name, value in tensorflow_discriminator(seed, architecture=architecture, c_dim=c_dim).items():
        *where, layer, leaf = name.split("/")
        if layer == "LabelEmbed":
            place = "mapping.embed"
        else:
            place = "b4.out" if layer == "Output" else f"b{where[0].split('x')[0]}.{names[layer]}"
        value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.t() if value.ndim == 2 else value
        t[f"{place}.{leaf}"] = value.contiguous()
        if value.ndim == 4:
            t[f"{place}.resample_filter"] = plain.fir().float()
    for i in range(2 if c_dim else 0):
        t |= {f"mapping.fc{i}.weight": draw(rng, 8, 8) * 100, f"mapping.fc{i}.bias": draw(rng, 8) * 30}
    return t


def pytorch_label(t: Tensors, c: Tensor) -> Tensor:
    x = plain.pixel_norm(dense(c, t["mapping.embed.weight"].t(), t["mapping.embed.bias"]))
    for i in range(2):
        x = plain.leaky_relu(dense(x, t[f"mapping.fc{i}.weight"].t(), t[f"mapping.fc{i}.bias"], 0.01))
    return x
