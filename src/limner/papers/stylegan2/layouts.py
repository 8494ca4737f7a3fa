"""How four programs name and store the tensors of StyleGAN2: one table of pairs a layout, read in both directions.

| layout | program |
|---|---|
| `nvidia-pytorch` | stylegan2-ada-pytorch, stylegan3 (its StyleGAN2 configuration) |
| `nvidia-tensorflow` | stylegan2 (configurations B to F), stylegan2-ada |
| `rosinality` | rosinality/stylegan2-pytorch |
| `genforce` | genforce/genforce |

Sources: tensor names and shapes of the published files. What differs from ours, and is undone by a pair's transform:
TensorFlow stores matrices [in, out] and convolutions [k, k, in, out]; TensorFlow and genforce store the kernels of
upsampling convolutions turned by 180 degrees, and style biases without the 1 they start at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from limner.ops.renaming import count
from limner.papers.stylegan2.renaming import (
    COPY,
    IN_A_LIST,
    ONE_AXIS,
    PLUS_ONE,
    RGB_BIAS,
    SCALAR,
    TF_CONV,
    TF_UP_CONV,
    TRANSPOSED,
    TURNED,
    TWO_AXES,
    Pair,
)


def generator_pairs(layout: str, num_doublings: int, num_mapping_layers: int) -> Iterator[Pair]:
    """Yield every tensor a generator of any architecture may have, from the base grid up.

    Args:
        layout: see above.
        num_doublings: blocks besides the base grid's.
        num_mapping_layers: depth of the mapping network.
    """
    yield from GENERATORS[layout](num_doublings, num_mapping_layers)


def discriminator_pairs(layout: str, num_doublings: int, num_mapping_layers: int) -> Iterator[Pair]:
    """Yield every tensor a discriminator of any architecture may have, from the pictures down; see above."""
    yield from DISCRIMINATORS[layout](num_doublings, num_mapping_layers)


def num_mapping_layers(layout: str, names: Collection[str]) -> int:
    """Return the depth of the mapping network that tensors of these names make."""
    if layout == "rosinality":
        return count("style.{}.weight".format, names, 1)
    layers = {
        "nvidia-pytorch": "mapping.fc{}.weight".format,
        "nvidia-tensorflow": "mapping/Dense{}/weight".format,
        "genforce": "mapping.dense{}.weight".format,
    }
    found = count(layers[layout], names)
    return found or (count("Mapping{}/weight".format, names) if layout == "nvidia-tensorflow" else 0)


def generator_doublings(layout: str, names: Collection[str]) -> int:
    """Return the blocks, besides the base grid's, of a generator with tensors of these names."""
    blocks = {
        "nvidia-pytorch": lambda level: f"synthesis.b{4 * 2**level}.conv1.weight",
        "nvidia-tensorflow": lambda level: "synthesis/{0}x{0}/Conv1/weight".format(4 * 2**level),
        "rosinality": lambda level: f"convs.{2 * level - 1}.conv.weight",
        "genforce": lambda level: f"synthesis.layer{2 * level}.weight",
    }
    return count(blocks[layout], names, 1)


def discriminator_doublings(layout: str, names: Collection[str]) -> int:
    """Return the blocks, besides the base grid's, of a discriminator with tensors of these names."""
    blocks = {
        "nvidia-pytorch": lambda level: f"b{4 * 2**level}.conv0.weight",
        "nvidia-tensorflow": lambda level: "{0}x{0}/Conv0/weight".format(4 * 2**level),
        "rosinality": lambda level: f"convs.{level}.conv1.0.weight",
        "genforce": lambda level: f"layer{2 * level + 2}.weight",  # the last block and the three layers of the end
    }
    return count(blocks[layout], names, 1)


def _layers(level: int) -> Iterator[tuple[str, int]]:
    """Yield (our name, number among all) of the convolutions of a generator's block."""
    if level:
        yield f"synthesis_network.b{4 * 2**level}.conv0", 2 * level - 1
    yield f"synthesis_network.b{4 * 2**level}.conv1", 2 * level


def _nvidia_pytorch_generator(doublings: int, num_layers: int) -> Iterator[Pair]:
    for leaf in ("embed.weight", "embed.bias"):
        yield f"mapping_network.{leaf}", f"mapping.{leaf}", COPY
    for index in range(num_layers):
        for leaf in ("weight", "bias"):
            yield f"mapping_network.fc{index}.{leaf}", f"mapping.fc{index}.{leaf}", COPY
    yield "w_avg", "mapping.w_avg", COPY
    for level in range(doublings + 1):
        leaves = ["const", "skip.weight"]
        for layer in ("conv0", "conv1", "torgb"):
            leaves += [f"{layer}.{leaf}" for leaf in ("weight", "bias", "affine.weight", "affine.bias")]
        leaves += [f"{layer}.{leaf}" for layer in ("conv0", "conv1") for leaf in ("noise_strength", "noise_const")]
        for leaf in leaves:
            name = f"b{4 * 2**level}.{leaf}"
            yield f"synthesis_network.{name}", f"synthesis.{name}", COPY


def _nvidia_pytorch_discriminator(doublings: int, num_layers: int) -> Iterator[Pair]:
    for leaf in ("embed.weight", "embed.bias"):
        yield f"mapping_network.{leaf}", f"mapping.{leaf}", COPY
    for index in range(num_layers):
        for leaf in ("weight", "bias"):
            yield f"mapping_network.fc{index}.{leaf}", f"mapping.fc{index}.{leaf}", COPY
    for level in range(doublings, -1, -1):
        layers = ("fromrgb", "conv0", "conv1", "skip") if level else ("fromrgb", "conv", "fc", "out")
        for name in (f"b{4 * 2**level}.{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")):
            yield name, name, COPY


def _nvidia_tensorflow_generator(doublings: int, num_layers: int) -> Iterator[Pair]:
    yield "mapping_network.label_matrix", "mapping/LabelConcat/weight", COPY
    yield "mapping_network.embed.weight", "mapping/LabelEmbed/weight", TRANSPOSED
    yield "mapping_network.embed.bias", "mapping/LabelEmbed/bias", COPY
    for index in range(num_layers):
        yield f"mapping_network.fc{index}.weight", f"mapping/Dense{index}/weight", TRANSPOSED
        yield f"mapping_network.fc{index}.bias", f"mapping/Dense{index}/bias", COPY
    yield "w_avg", "dlatent_avg", COPY
    for level in range(doublings + 1):
        side = 4 * 2**level
        ours, theirs = f"synthesis_network.b{side}", f"synthesis/{side}x{side}"
        if level == 0:
            yield f"{ours}.const", f"{theirs}/Const/const", ONE_AXIS
        for name, number in _layers(level):
            layer = "Conv" if level == 0 else "Conv0_up" if name.endswith("conv0") else "Conv1"
            yield f"{name}.weight", f"{theirs}/{layer}/weight", TF_UP_CONV if layer == "Conv0_up" else TF_CONV
            yield from _tensorflow_style(name, f"{theirs}/{layer}")
            yield f"{name}.noise_strength", f"{theirs}/{layer}/noise_strength", COPY
            yield f"{name}.noise_const", f"synthesis/noise{number}", TWO_AXES
        yield f"{ours}.skip.weight", f"{theirs}/Skip/weight", TF_UP_CONV
        for torgb in (f"{theirs}/ToRGB", f"synthesis/ToRGB_lod{doublings - level}"):  # the second of growing networks
            yield f"{ours}.torgb.weight", f"{torgb}/weight", TF_CONV
            yield from _tensorflow_style(f"{ours}.torgb", torgb)


def _tensorflow_style(ours: str, theirs: str) -> Iterator[Pair]:
    yield f"{ours}.bias", f"{theirs}/bias", COPY
    yield f"{ours}.affine.weight", f"{theirs}/mod_weight", TRANSPOSED
    yield f"{ours}.affine.bias", f"{theirs}/mod_bias", PLUS_ONE


def _nvidia_tensorflow_discriminator(doublings: int, num_layers: int) -> Iterator[Pair]:
    yield "mapping_network.embed.weight", "LabelEmbed/weight", TRANSPOSED
    yield "mapping_network.embed.bias", "LabelEmbed/bias", COPY
    for index in range(num_layers):
        yield f"mapping_network.fc{index}.weight", f"Mapping{index}/weight", TRANSPOSED
        yield f"mapping_network.fc{index}.bias", f"Mapping{index}/bias", COPY
    names = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip"}
    for level in range(doublings, -1, -1):
        side = 4 * 2**level
        for ours, theirs in names.items() if level else [("fromrgb", "FromRGB"), ("conv", "Conv")]:
            yield f"b{side}.{ours}.weight", f"{side}x{side}/{theirs}/weight", TF_CONV
            yield f"b{side}.{ours}.bias", f"{side}x{side}/{theirs}/bias", COPY
        yield f"b{side}.fromrgb.weight", f"FromRGB_lod{doublings - level}/weight", TF_CONV
        yield f"b{side}.fromrgb.bias", f"FromRGB_lod{doublings - level}/bias", COPY
    for ours, theirs in (("fc", "4x4/Dense0"), ("out", "Output")):
        yield f"b4.{ours}.weight", f"{theirs}/weight", TRANSPOSED
        yield f"b4.{ours}.bias", f"{theirs}/bias", COPY


def _rosinality_generator(doublings: int, num_layers: int) -> Iterator[Pair]:
    for index in range(num_layers):
        for leaf in ("weight", "bias"):
            yield f"mapping_network.fc{index}.{leaf}", f"style.{index + 1}.{leaf}", COPY
    yield "w_avg", "latent_avg", COPY
    yield "synthesis_network.b4.const", "input.input", ONE_AXIS
    for level in range(doublings + 1):
        for ours, number in _layers(level):
            theirs = f"convs.{number - 1}" if level else "conv1"
            yield f"{ours}.weight", f"{theirs}.conv.weight", ONE_AXIS
            yield f"{ours}.bias", f"{theirs}.activate.bias", COPY
            yield from _rosinality_style(ours, theirs)
            yield f"{ours}.noise_strength", f"{theirs}.noise.weight", IN_A_LIST
            yield f"{ours}.noise_const", f"noises.noise_{number}", TWO_AXES
        ours, theirs = f"synthesis_network.b{4 * 2**level}.torgb", f"to_rgbs.{level - 1}" if level else "to_rgb1"
        yield f"{ours}.weight", f"{theirs}.conv.weight", ONE_AXIS
        yield f"{ours}.bias", f"{theirs}.bias", RGB_BIAS
        yield from _rosinality_style(ours, theirs)


def _rosinality_style(ours: str, theirs: str) -> Iterator[Pair]:
    for leaf in ("weight", "bias"):
        yield f"{ours}.affine.{leaf}", f"{theirs}.conv.modulation.{leaf}", COPY


def _rosinality_discriminator(doublings: int, num_layers: int) -> Iterator[Pair]:
    top = f"b{4 * 2**doublings}.fromrgb"
    yield f"{top}.weight", "convs.0.0.weight", COPY
    yield f"{top}.bias", "convs.0.1.bias", COPY
    for number, level in enumerate(range(doublings, 0, -1), 1):
        ours, theirs = f"b{4 * 2**level}", f"convs.{number}"
        yield f"{ours}.conv0.weight", f"{theirs}.conv1.0.weight", COPY
        yield f"{ours}.conv0.bias", f"{theirs}.conv1.1.bias", COPY
        yield f"{ours}.conv1.weight", f"{theirs}.conv2.1.weight", COPY
        yield f"{ours}.conv1.bias", f"{theirs}.conv2.2.bias", COPY
        yield f"{ours}.skip.weight", f"{theirs}.skip.1.weight", COPY
    yield "b4.conv.weight", "final_conv.0.weight", COPY
    yield "b4.conv.bias", "final_conv.1.bias", COPY
    for ours, theirs in (("fc", "final_linear.0"), ("out", "final_linear.1")):
        for leaf in ("weight", "bias"):
            yield f"b4.{ours}.{leaf}", f"{theirs}.{leaf}", COPY


def _genforce_generator(doublings: int, num_layers: int) -> Iterator[Pair]:
    for index in range(num_layers):
        for leaf in ("weight", "bias"):
            yield f"mapping_network.fc{index}.{leaf}", f"mapping.dense{index}.{leaf}", COPY
    yield "w_avg", "truncation.w_avg", COPY
    yield "synthesis_network.b4.const", "synthesis.early_layer.const", ONE_AXIS
    for level in range(doublings + 1):
        for ours, number in _layers(level):
            theirs = f"synthesis.layer{number}"
            yield f"{ours}.weight", f"{theirs}.weight", TURNED if ours.endswith("conv0") else COPY
            yield from _genforce_style(ours, theirs)
            yield f"{ours}.noise_strength", f"{theirs}.noise_strength", SCALAR
            yield f"{ours}.noise_const", f"{theirs}.noise", TWO_AXES
        ours, theirs = f"synthesis_network.b{4 * 2**level}.torgb", f"synthesis.output{level}"
        yield f"{ours}.weight", f"{theirs}.weight", COPY
        yield from _genforce_style(ours, theirs)


def _genforce_style(ours: str, theirs: str) -> Iterator[Pair]:
    yield f"{ours}.bias", f"{theirs}.bias", COPY
    yield f"{ours}.affine.weight", f"{theirs}.style.weight", COPY
    yield f"{ours}.affine.bias", f"{theirs}.style.bias", PLUS_ONE


def _genforce_discriminator(doublings: int, num_layers: int) -> Iterator[Pair]:
    tail = {2 * doublings: "b4.conv", 2 * doublings + 1: "b4.fc", 2 * doublings + 2: "b4.out"}
    for number, level in enumerate(range(doublings, -1, -1)):
        ours = f"b{4 * 2**level}"
        layers = {f"input{number}": "fromrgb", f"layer{2 * number}": "conv0", f"layer{2 * number + 1}": "conv1"}
        for theirs, layer in layers.items() if level else [(f"input{number}", "fromrgb")]:
            for leaf in ("weight", "bias"):
                yield f"{ours}.{layer}.{leaf}", f"{theirs}.{leaf}", COPY
        yield f"{ours}.skip.weight", f"skip_layer{number}.weight", COPY
    for index, ours in tail.items():
        for leaf in ("weight", "bias"):
            yield f"{ours}.{leaf}", f"layer{index}.{leaf}", COPY


GENERATORS: dict[str, Callable[[int, int], Iterator[Pair]]] = {
    "nvidia-pytorch": _nvidia_pytorch_generator,
    "nvidia-tensorflow": _nvidia_tensorflow_generator,
    "rosinality": _rosinality_generator,
    "genforce": _genforce_generator,
}
DISCRIMINATORS: dict[str, Callable[[int, int], Iterator[Pair]]] = {
    "nvidia-pytorch": _nvidia_pytorch_discriminator,
    "nvidia-tensorflow": _nvidia_tensorflow_discriminator,
    "rosinality": _rosinality_discriminator,
    "genforce": _genforce_discriminator,
}
