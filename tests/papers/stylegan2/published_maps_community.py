"""The maps of StyleGAN2 as rosinality and genforce publish them; see `published_maps`."""

from __future__ import annotations

import torch
from torch import Tensor

from ops import plain
from papers.stylegan2.published_maps import CHANNELS, SIDES, Layer, Tensors, W, Z, dense, draw, synthesis
from papers.stylegan2.published_maps import tensorflow_discriminator as nvidia_discriminator


def rosinality_generator(seed: int) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {"input.input": draw(rng, 1, CHANNELS[4], 4, 4)}
    for i, features in enumerate((Z, W, W), 1):
        t |= {f"style.{i}.weight": draw(rng, W, features) * 100, f"style.{i}.bias": draw(rng, W) * 30}
    channels = CHANNELS[4]
    for number, (name, side) in enumerate(rosinality_layers().items()):
        out, is_up = CHANNELS[side], name.startswith("convs") and int(name[6:]) % 2 == 0
        t |= {
            f"{name}.conv.weight": draw(rng, 1, out, channels, 3, 3),
            f"{name}.conv.modulation.weight": draw(rng, channels, W),
            f"{name}.conv.modulation.bias": draw(rng, channels),
            f"{name}.noise.weight": draw(rng, 1),
            f"{name}.activate.bias": draw(rng, out),
            f"noises.noise_{number}": draw(rng, 1, 1, side, side),
        }
        channels = out
        if is_up:
            t[f"{name}.conv.blur.kernel"] = 4 * plain.fir().float()
            continue
        rgb = "to_rgb1" if side == 4 else f"to_rgbs.{SIDES.index(side) - 1}"
        t |= {
            f"{rgb}.conv.weight": draw(rng, 1, 3, out, 1, 1),
            f"{rgb}.conv.modulation.weight": draw(rng, out, W),
            f"{rgb}.conv.modulation.bias": draw(rng, out),
            f"{rgb}.bias": draw(rng, 1, 3, 1, 1),
        }
        if side > 4:
            t[f"{rgb}.upsample.kernel"] = 4 * plain.fir().float()
    return t


def rosinality_layers() -> dict[str, int]:
    """Names of the convolutions in their order -> side of their results."""
    return {"conv1": 4, "convs.0": 8, "convs.1": 8, "convs.2": 16, "convs.3": 16}


def rosinality_mapping(t: Tensors, z: Tensor) -> Tensor:
    x = plain.pixel_norm(z)
    for i in (1, 2, 3):
        x = plain.leaky_relu(dense(x, t[f"style.{i}.weight"].t(), t[f"style.{i}.bias"], 0.01))
    return x


def rosinality_synthesis(t: Tensors, ws: Tensor) -> Tensor:
    """Truly convolved after upsampling; one axis more on most tensors."""

    def style(name: str):
        return lambda w: dense(w, t[f"{name}.conv.modulation.weight"].t(), t[f"{name}.conv.modulation.bias"])

    layers: dict[str, Layer] = {}
    for number, (name, side) in enumerate(rosinality_layers().items()):
        kernel, is_up = t[f"{name}.conv.weight"][0], number % 2 == 1
        noise = t[f"{name}.noise.weight"] * t[f"noises.noise_{number}"][0]
        layers[f"{side}.conv{0 if is_up else 1}"] = Layer(
            kernel.flip((1 + 1, 2 + 1)) if is_up else kernel, t[f"{name}.activate.bias"], style(name), noise
        )
        rgb = "to_rgb1" if side == 4 else f"to_rgbs.{SIDES.index(side) - 1}"
        layers[f"{side}.torgb"] = Layer(t[f"{rgb}.conv.weight"][0], t[f"{rgb}.bias"].flatten(), style(rgb))
    return synthesis(t["input.input"][0], layers, {}, ws, architecture="skip")


def genforce_generator(seed: int) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    t: Tensors = {"truncation.w_avg": draw(rng, W), "truncation.truncation": torch.ones(1, 6, 1)}
    for i, features in enumerate((Z, W, W)):
        t |= {f"mapping.dense{i}.weight": draw(rng, W, features) * 100, f"mapping.dense{i}.bias": draw(rng, W) * 30}
    t |= {"synthesis.early_layer.const": draw(rng, 1, CHANNELS[4], 4, 4), "synthesis.upsample.kernel": 4 * plain.fir()}
    channels = CHANNELS[4]
    for number, side in enumerate((4, 8, 8, 16, 16)):
        name, out = f"synthesis.layer{number}", CHANNELS[side]
        t |= {
            f"{name}.weight": draw(rng, out, channels, 3, 3),
            f"{name}.bias": draw(rng, out),
            f"{name}.style.weight": draw(rng, channels, W),
            f"{name}.style.bias": draw(rng, channels),
            f"{name}.noise_strength": draw(rng),
            f"{name}.noise": draw(rng, 1, 1, side, side),
        }
        channels = out
        if number % 2:
            t[f"{name}.filter.kernel"] = 4 * plain.fir()
            continue
        t |= {
            f"synthesis.output{number // 2}.weight": draw(rng, 3, out, 1, 1),
            f"synthesis.output{number // 2}.bias": draw(rng, 3),
            f"synthesis.output{number // 2}.style.weight": draw(rng, out, W),
            f"synthesis.output{number // 2}.style.bias": draw(rng, out),
        }
    return {name: value.float() for name, value in t.items()}


def genforce_mapping(t: Tensors, z: Tensor) -> Tensor:
    x = plain.pixel_norm(z)
    for i in range(3):
        x = plain.leaky_relu(dense(x, t[f"mapping.dense{i}.weight"].t(), t[f"mapping.dense{i}.bias"], 0.01))
    return x


def genforce_synthesis(t: Tensors, ws: Tensor) -> Tensor:
    """Correlated with the stored kernel after upsampling; styles without their 1."""

    def style(name: str):
        return lambda w: dense(w, t[f"{name}.style.weight"].t(), t[f"{name}.style.bias"]) + 1

    layers: dict[str, Layer] = {}
    for number, side in enumerate((4, 8, 8, 16, 16)):
        name, rgb = f"synthesis.layer{number}", f"synthesis.output{number // 2}"
        noise = t[f"{name}.noise_strength"] * t[f"{name}.noise"][0]
        layer = Layer(t[f"{name}.weight"], t[f"{name}.bias"], style(name), noise)
        layers[f"{side}.conv{0 if number % 2 else 1}"] = layer
        if number % 2 == 0:
            layers[f"{side}.torgb"] = Layer(t[f"{rgb}.weight"], t[f"{rgb}.bias"], style(rgb))
    return synthesis(t["synthesis.early_layer.const"][0], layers, {}, ws, architecture="skip")


ROSINALITY_D = {
    "16x16/FromRGB/weight": "convs.0.0.weight",
    "16x16/FromRGB/bias": "convs.0.1.bias",
    "16x16/Conv0/weight": "convs.1.conv1.0.weight",
    "16x16/Conv0/bias": "convs.1.conv1.1.bias",
    "16x16/Conv1_down/weight": "convs.1.conv2.1.weight",
    "16x16/Conv1_down/bias": "convs.1.conv2.2.bias",
    "16x16/Skip/weight": "convs.1.skip.1.weight",
    "8x8/Conv0/weight": "convs.2.conv1.0.weight",
    "8x8/Conv0/bias": "convs.2.conv1.1.bias",
    "8x8/Conv1_down/weight": "convs.2.conv2.1.weight",
    "8x8/Conv1_down/bias": "convs.2.conv2.2.bias",
    "8x8/Skip/weight": "convs.2.skip.1.weight",
    "4x4/Conv/weight": "final_conv.0.weight",
    "4x4/Conv/bias": "final_conv.1.bias",
    "4x4/Dense0/weight": "final_linear.0.weight",
    "4x4/Dense0/bias": "final_linear.0.bias",
    "Output/weight": "final_linear.1.weight",
    "Output/bias": "final_linear.1.bias",
}
GENFORCE_D = {
    "16x16/FromRGB": "input0",
    "16x16/Conv0": "layer0",
    "16x16/Conv1_down": "layer1",
    "16x16/Skip": "skip_layer0",
    "8x8/Conv0": "layer2",
    "8x8/Conv1_down": "layer3",
    "8x8/Skip": "skip_layer1",
    "4x4/Conv": "layer4",
    "4x4/Dense0": "layer5",
    "Output": "layer6",
}


def in_torch_order(value: Tensor) -> Tensor:
    """[k, k, in, out] to [out, in, k, k], [in, out] to [out, in]."""
    return (value.permute(3, 2, 0, 1) if value.ndim == 4 else value.t() if value.ndim == 2 else value).contiguous()


def rosinality_discriminator(seed: int) -> Tensors:
    t = {ROSINALITY_D[name]: in_torch_order(value) for name, value in nvidia_discriminator(seed).items()}
    kernels = [f"convs.{block}.{branch}.0.kernel" for block in (1, 2) for branch in ("conv2", "skip")]
    return t | dict.fromkeys(kernels, plain.fir().float())


def genforce_discriminator(seed: int) -> Tensors:
    t = {}
    for name, value in nvidia_discriminator(seed).items():
        layer, _, leaf = name.rpartition("/")
        t[f"{GENFORCE_D[layer]}.{leaf}"] = in_torch_order(value)
    return t | dict.fromkeys(("layer1.filter.kernel", "skip_layer0.filter.kernel"), plain.fir().float())
