"""How three programs name and store the tensors of StyleGAN: one table of pairs a layout.

| layout | program |
|---|---|
| `nvidia-tensorflow` | stylegan, stylegan2 (configuration A) |
| `rosinality` | rosinality/style-based-gan-pytorch |
| `genforce` | genforce/genforce |
| `idinvert` | genforce/idinvert_pytorch |

Sources: tensor names and shapes of the published files; where each program puts its gains. NVIDIA and genforce store
the kernel of a doubling convolution the other way round where it is merged with the doubling (`is_merged`). rosinality
scales every weight by sqrt(2 / fan in), also of toRGB, styles, noise strengths and the last layer, which are linear;
its merged doubling has a quarter of the gain, its style scales hold the 1 that is added here, and its mapping network
has no learning rate multiplier: its optimiser has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from limner.ops.bias_act import LRELU_GAIN
from limner.ops.renaming import (
    CONV,
    COPY,
    ONE_AXIS,
    TF_CONV,
    TF_TURNED_CONV,
    TRANSPOSED,
    TURNED_CONV,
    TWO_AXES,
    Pair,
    Transform,
    turn,
)

IsMerged = Callable[[int], bool]
"""Whether the doubling to pictures of this side is merged with its convolution."""


def tensorflow_generator(
    doublings: int, depth: int, is_merged: IsMerged, num_averages: int | None = None
) -> Iterator[Pair]:
    """Yield every tensor a generator may have.

    Args:
        doublings: blocks besides the base grid's.
        depth: layers of the mapping network.
        is_merged: see above.
        num_averages: layers that have an average w of their own; None: there is one.
    """
    yield "mapping_network.label_matrix", "mapping/LabelConcat/weight", COPY
    for index in range(depth):
        yield f"mapping_network.fc{index}.weight", f"mapping/Dense{index}/weight", TRANSPOSED
        yield f"mapping_network.fc{index}.bias", f"mapping/Dense{index}/bias", COPY
    yield "w_avg", "dlatent_avg", COPY if num_averages is None else in_rows(num_averages)
    yield "synthesis_network.b4.input.const", "synthesis/4x4/Const/const", ONE_AXIS
    yield "synthesis_network.b4.input.dense.weight", "synthesis/4x4/Dense/weight", TRANSPOSED
    for level in range(doublings + 1):
        side = 4 * 2**level
        names = {"Conv0_up": "conv0", "Conv1": "conv1"}
        if level == 0:
            names = {"Const": "input", "Dense": "input", "Conv": "conv1"}  # a constant, or a dense layer of w
        for theirs, ours in names.items():
            layer, place = f"synthesis_network.b{side}.{ours}", f"synthesis/{side}x{side}/{theirs}"
            if ours != "input":
                is_turned = ours == "conv0" and is_merged(side)
                yield f"{layer}.weight", f"{place}/weight", TF_TURNED_CONV if is_turned else TF_CONV
            yield f"{layer}.bias", f"{place}/bias", COPY
            yield f"{layer}.noise_strength", f"{place}/Noise/weight", COPY
            yield f"{layer}.noise_const", f"synthesis/noise{2 * level + (ours == 'conv1')}", TWO_AXES
            yield f"{layer}.affine.weight", f"{place}/StyleMod/weight", TRANSPOSED
            yield f"{layer}.affine.bias", f"{place}/StyleMod/bias", COPY
        torgb = f"synthesis/ToRGB_lod{doublings - level}"
        yield f"synthesis_network.b{side}.torgb.weight", f"{torgb}/weight", TF_CONV
        yield f"synthesis_network.b{side}.torgb.bias", f"{torgb}/bias", COPY


def tensorflow_discriminator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator may have."""
    for level in range(doublings, -1, -1):
        side = 4 * 2**level
        layers = {"conv0": f"{side}x{side}/Conv0", "conv1": f"{side}x{side}/Conv1_down"} if level else {}
        layers["fromrgb"] = f"FromRGB_lod{doublings - level}"
        if level == 0:
            layers["conv"] = "4x4/Conv"
        for ours, theirs in layers.items():
            yield f"b{side}.{ours}.weight", f"{theirs}/weight", TF_CONV
            yield f"b{side}.{ours}.bias", f"{theirs}/bias", COPY
    for ours, theirs in (("fc", "4x4/Dense0"), ("out", "4x4/Dense1")):
        yield f"b4.{ours}.weight", f"{theirs}/weight", TRANSPOSED
        yield f"b4.{ours}.bias", f"{theirs}/bias", COPY


def genforce_generator(doublings: int, depth: int, is_merged: IsMerged) -> Iterator[Pair]:
    """Yield every tensor a generator may have; see `tensorflow_generator`."""
    for index in range(depth):
        for leaf in ("weight", "bias"):
            yield f"mapping_network.fc{index}.{leaf}", f"mapping.dense{index}.{leaf}", COPY
    yield "w_avg", "truncation.w_avg", COPY
    yield "synthesis_network.b4.input.const", "synthesis.layer0.const", ONE_AXIS
    for level in range(doublings + 1):
        side = 4 * 2**level
        for number, ours in enumerate(("conv0" if level else "input", "conv1"), 2 * level):
            layer, place = f"synthesis_network.b{side}.{ours}", f"synthesis.layer{number}"
            if ours != "input":
                is_turned = ours == "conv0" and is_merged(side)
                yield f"{layer}.weight", f"{place}.weight", TURNED_CONV if is_turned else CONV
            yield f"{layer}.bias", f"{place}.bias", COPY
            yield f"{layer}.noise_strength", f"{place}.apply_noise.weight", COPY
            yield f"{layer}.noise_const", f"{place}.apply_noise.noise", TWO_AXES
            yield f"{layer}.affine.weight", f"{place}.style.weight", COPY
            yield f"{layer}.affine.bias", f"{place}.style.bias", COPY
        for leaf in ("weight", "bias"):
            yield f"synthesis_network.b{side}.torgb.{leaf}", f"synthesis.output{level}.{leaf}", COPY


def idinvert_generator(doublings: int, depth: int, num_ws: int) -> Iterator[Pair]:
    """Yield every tensor a generator may have, merged kernels stored as NVIDIA's are.

    Args:
        doublings: blocks besides the base grid's.
        depth: layers of the mapping network.
        num_ws: layers that have an average w of their own.
    """
    for index in range(depth):
        yield f"mapping_network.fc{index}.weight", f"mapping.dense{index}.fc.weight", COPY
        yield f"mapping_network.fc{index}.bias", f"mapping.dense{index}.wscale.bias", COPY
    yield "w_avg", "truncation.w_avg", in_rows(num_ws)
    yield "synthesis_network.b4.input.const", "synthesis.layer0.const", ONE_AXIS
    for level in range(doublings + 1):
        side = 4 * 2**level
        for number, ours in enumerate(("conv0" if level else "input", "conv1"), 2 * level):
            layer, place = f"synthesis_network.b{side}.{ours}", f"synthesis.layer{number}"
            if ours != "input":
                yield f"{layer}.weight", f"{place}.conv.weight", CONV
                yield f"{layer}.weight", f"{place}.weight", TF_TURNED_CONV
            yield f"{layer}.bias", f"{place}.epilogue.bias", COPY
            yield f"{layer}.noise_strength", f"{place}.epilogue.apply_noise.weight", COPY
            yield f"{layer}.noise_const", f"{place}.epilogue.apply_noise.noise", TWO_AXES
            yield f"{layer}.affine.weight", f"{place}.epilogue.style_mod.dense.fc.weight", COPY
            yield f"{layer}.affine.bias", f"{place}.epilogue.style_mod.dense.wscale.bias", COPY
        yield f"synthesis_network.b{side}.torgb.weight", f"synthesis.output{level}.conv.weight", CONV
        yield f"synthesis_network.b{side}.torgb.bias", f"synthesis.output{level}.bias", COPY


def genforce_discriminator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator may have: numbered from the pictures down."""
    names = {2 * doublings: "b4.conv", 2 * doublings + 1: "b4.fc", 2 * doublings + 2: "b4.out"}
    for number, level in enumerate(range(doublings, -1, -1)):
        ours = f"b{4 * 2**level}"
        if level:
            names |= {2 * number: f"{ours}.conv0", 2 * number + 1: f"{ours}.conv1"}
        for leaf in ("weight", "bias"):
            yield f"{ours}.fromrgb.{leaf}", f"input{number}.{leaf}", COPY
    for number, name in names.items():
        for leaf in ("weight", "bias"):
            yield f"{name}.{leaf}", f"layer{number}.{leaf}", COPY


def rosinality_generator(doublings: int, depth: int, lr_multiplier: float) -> Iterator[Pair]:
    """Yield every tensor a generator may have.

    Args:
        doublings: blocks besides the base grid's that are taken.
        depth: layers of the mapping network.
        lr_multiplier: of our mapping network.
    """
    for index in range(depth):
        theirs, multiplied = f"style.{2 * index + 1}.linear", scaled(1 / lr_multiplier)
        yield f"mapping_network.fc{index}.weight", f"{theirs}.weight_orig", multiplied
        yield f"mapping_network.fc{index}.bias", f"{theirs}.bias", multiplied
    yield "synthesis_network.b4.input.const", "generator.progression.0.conv1.input", ONE_AXIS
    for level in range(doublings + 1):
        ours, theirs = f"synthesis_network.b{4 * 2**level}", f"generator.progression.{level}"
        yield f"{ours}.conv0.weight", f"{theirs}.conv1.1.conv.weight_orig", CONV
        yield f"{ours}.conv0.bias", f"{theirs}.conv1.1.conv.bias", COPY
        yield f"{ours}.conv0.weight", f"{theirs}.conv1.0.weight", MERGED_DOUBLING
        yield f"{ours}.conv0.bias", f"{theirs}.conv1.0.bias", COPY
        yield f"{ours}.conv1.weight", f"{theirs}.conv2.conv.weight_orig", CONV
        yield f"{ours}.conv1.bias", f"{theirs}.conv2.conv.bias", COPY
        for number, layer in enumerate(("conv0" if level else "input", "conv1"), 1):
            yield f"{ours}.{layer}.noise_strength", f"{theirs}.noise{number}.weight_orig", NOISE_WEIGHT
            yield f"{ours}.{layer}.affine.weight", f"{theirs}.adain{number}.style.linear.weight_orig", LINEAR
            yield f"{ours}.{layer}.affine.bias", f"{theirs}.adain{number}.style.linear.bias", MINUS_ONE
        yield f"{ours}.torgb.weight", f"generator.to_rgb.{level}.conv.weight_orig", LINEAR
        yield f"{ours}.torgb.bias", f"generator.to_rgb.{level}.conv.bias", COPY


def rosinality_untrained(level: int) -> tuple[str, ...]:
    """Return names of tensors that are zero as long as training has not reached a block."""
    block = f"generator.progression.{level}"
    return (f"{block}.noise1.weight_orig", f"{block}.noise2.weight_orig", f"{block}.conv2.conv.bias")


def rosinality_block(name: str) -> int | None:
    """Return the number of the block a tensor belongs to; None for tensors of none."""
    match = re.match(r"(?:generator\.)?(?:progression|to_rgb|from_rgb)\.(\d{1,3})\.", name)
    return int(match[1]) if match else None


def rosinality_discriminator(doublings: int, num_blocks: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator may have, of the last `doublings` + 1 of its blocks, the finest first."""
    for level in range(doublings, -1, -1):
        ours, number = f"b{4 * 2**level}", num_blocks - 1 - level
        theirs = f"progression.{number}"
        yield f"{ours}.fromrgb.weight", f"from_rgb.{number}.0.conv.weight_orig", CONV
        yield f"{ours}.fromrgb.bias", f"from_rgb.{number}.0.conv.bias", COPY
        first = f"{ours}.conv0" if level else "b4.conv"
        yield f"{first}.weight", f"{theirs}.conv1.0.conv.weight_orig", CONV
        yield f"{first}.bias", f"{theirs}.conv1.0.conv.bias", COPY
        if level:
            yield f"{ours}.conv1.weight", f"{theirs}.conv2.1.conv.weight_orig", CONV
            yield f"{ours}.conv1.bias", f"{theirs}.conv2.1.conv.bias", COPY
            yield f"{ours}.conv1.weight", f"{theirs}.conv2.1.weight", CONV  # merged with the halving, like ours
            yield f"{ours}.conv1.bias", f"{theirs}.conv2.1.bias", COPY
    last = f"progression.{num_blocks - 1}.conv2.0.conv"  # over the whole 4 x 4: a dense layer
    yield "b4.fc.weight", f"{last}.weight_orig", CONV.then(lambda t: t.flatten(1))
    yield "b4.fc.bias", f"{last}.bias", COPY
    yield "b4.out.weight", "linear.linear.weight_orig", LINEAR
    yield "b4.out.bias", "linear.linear.bias", COPY


def in_rows(count: int) -> Transform:
    """As `count` rows, in whatever shape it is."""
    return Transform(lambda t: t.reshape(count, -1), lambda s: s.numel() % count == 0)


def scaled(factor: float) -> Transform:
    """Times a factor."""
    return Transform(lambda t: t.double() * factor)


def _subtract_one(bias: Tensor) -> Tensor:
    scales, shifts = bias.double().chunk(2)
    return torch.cat([scales - 1, shifts])


LINEAR = scaled(LRELU_GAIN)
"""The weight of a linear layer that has the gain of an activated one."""
MINUS_ONE = Transform(_subtract_one, lambda s: len(s) == 1 and s[0] % 2 == 0)
MERGED_DOUBLING = Transform(lambda t: turn(t.transpose(0, 1)).double() / 4, lambda s: len(s) == 4)
NOISE_WEIGHT = Transform(
    lambda t: t.flatten().double() * (LRELU_GAIN / math.sqrt(t.numel())), lambda s: len(s) == 4 and s[0] == 1
)
