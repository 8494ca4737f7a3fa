"""This room's networks in the names, shapes and layouts of other programs: `convert` backwards.

`nvidia` is the layout of NVIDIA's TensorFlow networks of version 4, which its PyTorch programs (stylegan2-ada-pytorch,
stylegan3) convert when they load a .pkl. It is the one format of theirs that needs no source code in the file: their
PyTorch pickles carry the text of a module and run it, and NVIDIA's is not ours to write.
`rosinality` is what rosinality/stylegan2-pytorch loads to generate (`g_ema`, `latent_avg`) and to go on (`g`, `d`).

Sources: `layouts`; the settings by which the programs build their networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from limner.config import RunConfig, base_grid
from limner.errors import CheckpointError
from limner.ops.upfirdn2d import setup_filter
from limner.papers.stylegan2 import layouts
from limner.papers.stylegan2.discriminator import DiscriminatorConfig
from limner.papers.stylegan2.generator import GeneratorConfig, num_channels

Networks = Mapping[str, Mapping[str, Tensor]]
"""Our name of a network -> its tensors."""
ROSINALITY_WIDTHS = (16384, 32768)
"""channel_base of its --channel_multiplier 1 and 2."""


def export_official(layout: str, config: RunConfig, networks: Networks) -> dict[str, Any]:
    """Return the content of a file of another program.

    Args:
        layout: `nvidia` or `rosinality`.
        config: what the networks were built from.
        networks: `generator_ema`, `generator` and `discriminator`; a missing generator is the average, a missing
            discriminator is an error.

    Returns:
        for `nvidia`: G, D and Gs, each with `name`, `settings` and `variables` (name -> tensor); for `rosinality`: the
        content of its .pt.

    Raises:
        CheckpointError: the program has no such network, and why.
    """
    if "discriminator" not in networks:
        raise CheckpointError(
            "the snapshot has no discriminator, expected one: the other program loads all its networks"
        )
    networks = {**networks, "generator": networks.get("generator", networks["generator_ema"])}
    _check_shared(config)
    return _nvidia(config, networks) if layout == "nvidia" else _rosinality(config, networks)


def _check_shared(config: RunConfig) -> None:
    G, D = config.generator, config.discriminator
    height, width, _ = base_grid(G.img_resolution)
    _refuse_unless((height, width) == (4, 4), f"pictures of {G.img_resolution}", "squares of 4 times a power of two")
    _refuse_unless(not G.growing and not D.growing, "growing networks", "networks of one resolution")
    _refuse_unless(
        D.mbstd_features == 1, f"{D.mbstd_features} features of the minibatch standard deviation", "discriminators of 1"
    )


def _refuse_unless(is_known: bool, got: str, known: str) -> None:
    if not is_known:
        raise CheckpointError(f"the other program knows no {got}, it has {known} alone; keep limner's own format")


def _nvidia(config: RunConfig, networks: Networks) -> dict[str, Any]:
    G, D = config.generator, config.discriminator
    _refuse_unless(G.label_norm == "separate" or not G.c_dim, "labels that are normalised with z", "separate ones")
    _refuse_unless(D.mbstd_group is not None, "minibatch standard deviation over the whole batch", "groups")
    _refuse_unless(G.architecture != "orig", "generator of architecture orig from such a file", "skip and resnet")
    return {
        theirs: {
            "name": theirs,
            "settings": _nvidia_discriminator_settings(D) if theirs == "D" else _nvidia_generator_settings(G),
            "variables": _renamed("nvidia-tensorflow", networks[ours], D if theirs == "D" else G),
        }
        for theirs, ours in (("G", "generator"), ("D", "discriminator"), ("Gs", "generator_ema"))
    }


def _nvidia_shared_settings(config: GeneratorConfig | DiscriminatorConfig) -> dict[str, Any]:
    return {
        "num_channels": config.img_channels,
        "resolution": config.img_resolution[0],
        "label_size": config.c_dim,
        "fmap_base": config.channel_base // 2,  # TensorFlow counts from half the side
        "fmap_max": config.channel_max,
        "architecture": config.architecture,
        "mapping_layers": config.mapping_layers,
    }


def _nvidia_generator_settings(config: GeneratorConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "latent_size": config.z_dim,
        "dlatent_size": config.w_dim,
        "mapping_fmaps": config.w_dim,
    }
    settings |= {"mapping_lrmul": config.mapping_lr_multiplier, "dlatent_avg_beta": config.w_avg_beta}
    return _nvidia_shared_settings(config) | settings | ({} if config.use_noise else {"use_noise": False})


def _nvidia_discriminator_settings(config: DiscriminatorConfig) -> dict[str, Any]:
    settings = _nvidia_shared_settings(config) | {"mbstd_group_size": config.mbstd_group}
    if not config.c_dim:
        del settings["mapping_layers"]
    return settings


def _rosinality(config: RunConfig, networks: Networks) -> dict[str, Any]:
    G, D = config.generator, config.discriminator
    num_doublings = base_grid(G.img_resolution)[2]
    multiples = [
        m for m in ROSINALITY_WIDTHS if _widths(G) == [num_channels(m, 512, n) for n in range(num_doublings + 1)]
    ]
    _refuse_unless(not G.c_dim, "labels", "unconditional networks")
    _refuse_unless(G.img_channels == 3, f"pictures of {G.img_channels} channels", "pictures of 3")
    _refuse_unless(G.architecture == "skip", f"generator of architecture {G.architecture}", "skip")
    _refuse_unless(D.architecture == "resnet", f"discriminator of architecture {D.architecture}", "resnet")
    _refuse_unless(
        bool(multiples) and _widths(D) == _widths(G), f"layers of {_widths(G)} channels", "channel_multiplier 1 and 2"
    )
    _refuse_unless(G.z_dim == G.w_dim, f"z of {G.z_dim} and w of {G.w_dim} values", "z as long as w")
    _refuse_unless(G.mapping_lr_multiplier == 0.01, "such mapping_lr_multiplier", "0.01")
    _refuse_unless(D.mbstd_group == 4, f"minibatch standard deviation over {D.mbstd_group}", "groups of 4")
    _refuse_unless(G.use_noise, "generator without noise", "generators with noise maps")
    content: dict[str, Any] = {}
    for theirs, ours in (("g", "generator"), ("g_ema", "generator_ema")):
        tensors = _renamed("rosinality", networks[ours], G)
        content["latent_avg"] = tensors.pop("latent_avg")  # the average's is written last
        ups = [f"convs.{2 * level}.conv.blur" for level in range(num_doublings)]
        ups += [f"to_rgbs.{level}.upsample" for level in range(num_doublings)]
        content[theirs] = tensors | {f"{name}.kernel": 4 * setup_filter() for name in ups}
    downs = [f"convs.{n}.{branch}.0" for n in range(1, num_doublings + 1) for branch in ("conv2", "skip")]
    tensors = _renamed("rosinality", networks["discriminator"], D)
    content["d"] = tensors | {f"{name}.kernel": setup_filter() for name in downs}
    return content


def _widths(config: GeneratorConfig | DiscriminatorConfig) -> list[int]:
    levels = range(base_grid(config.img_resolution)[2] + 1)
    return [num_channels(config.channel_base, config.channel_max, level) for level in levels]


def _renamed(
    layout: str, tensors: Mapping[str, Tensor], config: GeneratorConfig | DiscriminatorConfig
) -> dict[str, Tensor]:
    """Return every tensor under its name and in its order of axes in `layout`."""
    num_doublings = base_grid(config.img_resolution)[2]
    of_generator = isinstance(config, GeneratorConfig)
    pairs = (layouts.generator_pairs if of_generator else layouts.discriminator_pairs)(
        layout, num_doublings, config.mapping_layers
    )
    left, written = dict(tensors), dict[str, Tensor]()
    for ours, theirs, transform in pairs:
        if ours in left:
            written[theirs] = transform.write(left.pop(ours)).clone(memory_format=torch.contiguous_format)
    if left:
        raise CheckpointError(f"tensor '{next(iter(left))}' has no place in the other program's networks")
    return written
