"""How two programs name and store the tensors of ProGAN: one table of pairs a layout.

| layout | program |
|---|---|
| `nvidia-tensorflow` | progressive_growing_of_gans; the copy of ProGAN in stylegan |
| `genforce` | genforce/genforce |

Sources: tensor names and shapes of the published files. The published networks were imported from the first program
and resample in steps of their own: Conv0, Conv1. Networks trained later merge that with the convolution: Conv0_up,
whose kernel is stored [k, k, out, in] and the other way round, and Conv1_down. genforce holds the first dense layer as
a 4 x 4 convolution of one pixel, its kernel turned by 180 degrees.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from limner.ops.renaming import CONV, COPY, TF_CONV, TRANSPOSED, Pair, Transform, turn


def tensorflow_generator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a generator with `doublings` blocks above the base grid may have."""
    root = "synthesis_network"
    yield f"{root}.b4.dense.weight", "4x4/Dense/weight", TRANSPOSED
    yield f"{root}.b4.bias", "4x4/Dense/bias", COPY
    for level in range(doublings + 1):
        side = 4 * 2**level
        layers = {"Conv0": "conv0", "Conv0_up": "conv0", "Conv1": "conv1"} if level else {"Conv": "conv"}
        places = {f"{side}x{side}/{theirs}": ours for theirs, ours in layers.items()}
        for theirs, ours in {**places, f"ToRGB_lod{doublings - level}": "torgb"}.items():
            yield f"{root}.b{side}.{ours}.weight", f"{theirs}/weight", UP_CONV if theirs.endswith("_up") else TF_CONV
            yield f"{root}.b{side}.{ours}.bias", f"{theirs}/bias", COPY


def tensorflow_discriminator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator may have, from the pictures down."""
    for level in range(doublings, -1, -1):
        side = 4 * 2**level
        layers = {"Conv0": "conv0", "Conv1": "conv1", "Conv1_down": "conv1"} if level else {"Conv": "conv"}
        places = {f"{side}x{side}/{theirs}": ours for theirs, ours in layers.items()}
        for theirs, ours in {f"FromRGB_lod{doublings - level}": "fromrgb", **places}.items():
            yield f"b{side}.{ours}.weight", f"{theirs}/weight", TF_CONV
            yield f"b{side}.{ours}.bias", f"{theirs}/bias", COPY
    for ours, theirs in (("fc", "4x4/Dense0"), ("out", "4x4/Dense1")):
        yield f"b4.{ours}.weight", f"{theirs}/weight", TRANSPOSED
        yield f"b4.{ours}.bias", f"{theirs}/bias", COPY


def genforce_generator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a generator may have; see `tensorflow_generator`."""
    root = "synthesis_network"
    yield f"{root}.b4.dense.weight", "layer0.weight", DENSE_AS_CONV
    yield f"{root}.b4.bias", "layer0.bias", COPY
    for level in range(doublings + 1):
        ours = f"{root}.b{4 * 2**level}"
        layers = {2 * level: "conv0", 2 * level + 1: "conv1"} if level else {1: "conv"}
        places = {f"layer{number}": name for number, name in layers.items()} | {f"output{level}": "torgb"}
        for theirs, name in places.items():
            yield f"{ours}.{name}.weight", f"{theirs}.weight", CONV
            yield f"{ours}.{name}.bias", f"{theirs}.bias", COPY


def genforce_discriminator(doublings: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator may have: numbered from the pictures down."""
    names = {f"layer{2 * doublings + index}": f"b4.{name}" for index, name in enumerate(("conv", "fc", "out"))}
    for number, level in enumerate(range(doublings, -1, -1)):
        ours = f"b{4 * 2**level}"
        names[f"input{number}"] = f"{ours}.fromrgb"
        if level:
            names |= {f"layer{2 * number}": f"{ours}.conv0", f"layer{2 * number + 1}": f"{ours}.conv1"}
    for theirs, name in names.items():
        for leaf in ("weight", "bias"):
            yield f"{name}.{leaf}", f"{theirs}.{leaf}", COPY


def _dense(kernel: Tensor) -> Tensor:
    """[O, I, h, w], turned, to a matrix [O h w, I]."""
    return turn(kernel).permute(0, 2, 3, 1).flatten(0, 2)


UP_CONV = Transform(lambda t: turn(t.permute(2, 3, 0, 1)), lambda s: len(s) == 4)
DENSE_AS_CONV = CONV.then(_dense)
