"""The published encoder of IDInvert, from the file of its port to torch: that of April 2020.

It has a stem of 3 x 3, normalises before the activation, and has up to 1024 channels. A file holds the encoder alone,
which serves one generator: that is named beside it.

Source: the layout of genforce/idinvert_pytorch: `block0` (conv, bn), `block1` and on (conv1, bn1, conv2, bn2 and, where
channels change, conv, bn for the shortcut), the last block (fc, bn). A normalisation may lie one level deeper, as
`bn.bn`. No published file was at hand: the names are as its program is documented to give them, and a tensor that is
not among them is refused.

Deviations: none in what is computed. A bias in front of a normalisation in the shortcut becomes part of its mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from limner.config import RunConfig, base_grid
from limner.errors import CheckpointError, ConfigError
from limner.ops.renaming import CONV, COPY, ForeignFile, Pair, Renamed, check_size, copy_into, count
from limner.papers.base import FinishedGenerator, PresetRequest
from limner.papers.idinvert.encoder import Encoder, EncoderConfig
from limner.papers.idinvert.presets import PRESETS

PRESET = "idinvert-ffhq-256"
"""Preset whose other settings the snapshot gets."""
NAME = "encoder"
"""Name of the network in the file."""
COUNTER = "num_batches_tracked"
"""Batches that a normalisation has seen; of no use here."""


def convert_encoder(file: ForeignFile, generator: FinishedGenerator) -> tuple[RunConfig, Encoder]:
    """Build the encoder of a file, for a generator.

    Args:
        file: with a network `encoder`.
        generator: whose pictures and latents it has to fit.

    Returns:
        the configuration of a run that could have trained it, and the encoder in evaluation mode.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape, or the generator is of another size.
    """
    foreign, path = file.networks[NAME].tensors, file.path
    num_blocks = count("block{}.conv1.weight".format, foreign, 1)
    shortcuts = {f"block{i}.conv.bias": f"blocks.{i - 1}.skip.1.running_mean" for i in range(1, num_blocks + 1)}
    tensors = Renamed(foreign, _pairs(num_blocks), path, lambda name, _: name.endswith(COUNTER) or name in shortcuts)
    try:
        config = _config(tensors, num_blocks, generator, path)
    except ConfigError as error:
        raise CheckpointError(f"'{path}' holds an encoder that limner cannot build: {error}") from None
    check_size(lambda: Encoder(config), foreign, path)
    with torch.random.fork_rng(devices=[]):
        E = Encoder(config)
    state = E.state_dict()
    zero = [name for name in state if name.endswith((COUNTER, "conv.bias", "head.bias", "code_avg"))]
    copy_into(E, tensors, path, {name: torch.zeros_like(state[name]) for name in zero})
    for theirs, ours in shortcuts.items():
        if theirs in foreign:
            state[ours].sub_(foreign[theirs])
    request = PresetRequest(resolution=config.img_resolution, channels=config.img_channels, generator=generator)
    return replace(PRESETS[PRESET].build(request), encoder=config), E.eval().requires_grad_(False)


def _pairs(num_blocks: int) -> Iterator[Pair]:
    """Yield every tensor an encoder may have."""
    layers = {"stem": ("block0.conv", "block0.bn")}
    for index in range(num_blocks):
        ours, theirs = f"blocks.{index}", f"block{index + 1}"
        layers |= {f"{ours}.conv{k}": (f"{theirs}.conv{k + 1}", f"{theirs}.bn{k + 1}") for k in range(2)}
        yield f"{ours}.skip.0.weight", f"{theirs}.conv.weight", CONV
        yield from _norm(f"{ours}.skip.1", f"{theirs}.bn")
    for layer, (conv, norm) in layers.items():
        yield f"{layer}.conv.weight", f"{conv}.weight", CONV
        yield f"{layer}.conv.bias", f"{conv}.bias", COPY
        yield from _norm(f"{layer}.norm", norm)
    last = f"block{num_blocks + 1}"
    yield "head.weight", f"{last}.fc.weight", COPY
    yield "head.bias", f"{last}.fc.bias", COPY
    yield from _norm("code_norm", f"{last}.bn")


def _norm(ours: str, theirs: str) -> Iterator[Pair]:
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        for place in (theirs, f"{theirs}.bn"):
            yield f"{ours}.{leaf}", f"{place}.{leaf}", COPY


def _config(tensors: Renamed, num_blocks: int, generator: FinishedGenerator, path: str) -> EncoderConfig:
    resolution = generator.generator.img_resolution
    base_h, base_w, num_doublings = base_grid(resolution)
    num_values, num_features = tensors.sizes("head.weight", 2)
    channels, img_channels, kernel, _ = tensors.sizes("stem.conv.weight", 4)
    if num_blocks != num_doublings or num_values != generator.num_ws * generator.w_dim:
        height, width = resolution
        raise CheckpointError(
            f"'{path}' holds an encoder of {num_blocks} halvings to codes of {num_values} numbers, expected "
            f"{num_doublings} and {generator.num_ws} x {generator.w_dim} for the generator of {height}x{width} pixels; "
            "name the generator it was trained for"
        )
    return EncoderConfig(
        img_resolution=resolution,
        img_channels=img_channels,
        z_dim=generator.z_dim,
        w_dim=generator.w_dim,
        num_ws=generator.num_ws,
        stem_kernel=kernel,
        norm_first=True,
        channels=channels,
        channel_max=num_features // (base_h * base_w),
        norm="batch",
        code_norm="code_norm.weight" in tensors,
        from_average=False,
    )
