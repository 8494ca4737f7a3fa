"""The configuration of a network from its tensors, and from what the program that trained it recorded.

Tensors under our names say the resolution, widths, depths, architecture and labels. Settings say what tensors cannot:
the learning rate multiplier of the mapping network, the group of the minibatch standard deviation, half precision.

Sources: names of settings that NVIDIA's programs record, and their defaults; widths of StyleGAN2 paper, Appendix B.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from limner.config import Resolution
from limner.errors import CheckpointError
from limner.ops.renaming import Renamed, channel_law, number
from limner.papers.stylegan2.discriminator import DiscriminatorConfig
from limner.papers.stylegan2.generator import Architecture, GeneratorConfig, num_channels
from limner.papers.stylegan2.mapping import LabelNorm

FIR_TAPS = [1, 3, 3, 1]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a program recorded about a network; the defaults hold where it did not."""

    channel_base: int = 0
    channel_max: int = 0
    num_fp16_res: int = 0
    conv_clamp: float = 256.0
    mapping_lr_multiplier: float = 0.01
    w_avg_beta: float = 0.995
    mbstd_group: int | None = 4
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """Settings whose values we cannot compute."""


def recorded_settings(layout: str, settings: Mapping[str, Any]) -> Recorded:
    """Return what a program of `layout` recorded in `settings`."""
    if layout == "nvidia-pytorch":
        return _recorded_by_pytorch(settings)
    return _recorded_by_tensorflow(settings) if layout == "nvidia-tensorflow" else Recorded()


def _recorded_by_pytorch(settings: Mapping[str, Any]) -> Recorded:
    synthesis = {**settings, **_group(settings, "block_kwargs"), **_group(settings, "synthesis_kwargs")}
    mapping, epilogue = _group(settings, "mapping_kwargs"), _group(settings, "epilogue_kwargs")
    group = epilogue.get("mbstd_group_size", 4)
    expected: dict[str, tuple[Any, ...]] = {"activation": ("lrelu",), "resample_filter": (FIR_TAPS,)}
    places = {"synthesis": synthesis, "mapping": mapping, "epilogue": epilogue}
    return Recorded(
        channel_base=int(number(synthesis, "channel_base", 0)),
        channel_max=int(number(synthesis, "channel_max", 0)),
        num_fp16_res=int(number(synthesis, "num_fp16_res", 0)),
        conv_clamp=number(synthesis, "conv_clamp", 256.0),
        mapping_lr_multiplier=number(mapping, "lr_multiplier", 0.01),
        w_avg_beta=number(mapping, "w_avg_beta", 0.995),
        mbstd_group=None if group is None else int(number(epilogue, "mbstd_group_size", 4)),
        unknown={
            f"{place}.{name}": values[name]
            for place, values in places.items()
            for name, known in expected.items()
            if values.get(name, known[0]) not in known
        },
    )


def _recorded_by_tensorflow(settings: Mapping[str, Any]) -> Recorded:
    expected: dict[str, tuple[Any, ...]] = {
        "nonlinearity": ("lrelu",),
        "mapping_nonlinearity": ("lrelu",),
        "act": ("lrelu",),
        "resample_kernel": (FIR_TAPS,),
        "normalize_latents": (True,),
        "use_wscale": (True,),
        "use_spectral_norm": (False,),
        "adaptive_dropout": (0,),
    }
    return Recorded(
        channel_base=2 * int(number(settings, "fmap_base", 0)),
        channel_max=int(number(settings, "fmap_max", 0)),
        num_fp16_res=int(number(settings, "num_fp16_res", 0)),
        conv_clamp=number(settings, "conv_clamp", 256.0),
        mapping_lr_multiplier=number(settings, "mapping_lrmul", 0.01),
        w_avg_beta=number(settings, "dlatent_avg_beta", 0.995),
        mbstd_group=int(number(settings, "mbstd_group_size", 4)),
        unknown={
            name: settings[name]
            for name, known in expected.items()
            if settings.get(name, known[0]) not in (*known, None)
        },
    )


def generator_config(
    tensors: Renamed, recorded: Recorded, *, doublings: int, growing: bool, path: str
) -> GeneratorConfig:
    """Return the configuration of a generator with `tensors`, under our names.

    Args:
        tensors: name -> tensor.
        recorded: what was recorded.
        doublings: blocks besides the base grid's.
        growing: whether toRGB is there for growing.
        path: file they come from, for messages.

    Raises:
        CheckpointError: a tensor that decides is missing or of no such shape, or widths follow no rule.
        ConfigError: a value no network of ours takes.
    """
    _check_known(recorded, path)
    root = "synthesis_network.b"
    sides = [4 * 2**level for level in range(doublings + 1)]
    _, base_h, base_w = tensors.sizes(f"{root}4.const", 3)
    channels = [tensors.sizes(f"{root}{side}.conv1.weight", 4)[0] for side in sides]
    channel_base, channel_max = channel_law(channels, (recorded.channel_base, recorded.channel_max), num_channels, path)
    _, w_dim = tensors.sizes(f"{root}4.conv1.affine.weight", 2)
    depth = sum(name.startswith("mapping_network.fc") and name.endswith(".weight") for name in tensors)
    c_dim, label_norm = _labels(tensors)
    inputs = tensors.sizes("mapping_network.fc0.weight", 2)[1] if depth else w_dim
    architecture: Architecture = "orig"
    if any(name.endswith("skip.weight") for name in tensors):
        architecture = "resnet"
    elif not growing and (f"{root}4.torgb.weight" in tensors or doublings == 0):
        architecture = "skip"
    return GeneratorConfig(
        img_resolution=(base_h << doublings, base_w << doublings),
        img_channels=tensors.sizes(f"{root}{sides[-1]}.torgb.weight", 4)[0],
        z_dim=inputs - (w_dim if c_dim else 0),
        w_dim=w_dim,
        c_dim=c_dim,
        mapping_layers=depth,
        mapping_lr_multiplier=recorded.mapping_lr_multiplier,
        label_norm=label_norm,
        architecture=architecture,
        growing=growing,
        use_noise=any(name.endswith("noise_strength") for name in tensors),
        channel_base=channel_base,
        channel_max=channel_max,
        num_fp16_res=recorded.num_fp16_res,
        conv_clamp=recorded.conv_clamp,
        w_avg_beta=recorded.w_avg_beta,
    )


def discriminator_config(
    tensors: Renamed,
    recorded: Recorded,
    *,
    img_resolution: Resolution,
    doublings: int,
    growing: bool,
    path: str,
) -> DiscriminatorConfig:
    """Return the configuration of a discriminator with `tensors`, under our names; see `generator_config`."""
    _check_known(recorded, path)
    sides = [4 * 2**level for level in range(doublings + 1)]
    out_channels, in_channels, *_ = tensors.sizes("b4.conv.weight", 4)
    channels = [out_channels] + [tensors.sizes(f"b{side}.conv0.weight", 4)[0] for side in sides[1:]]
    channel_base, channel_max = channel_law(channels, (recorded.channel_base, recorded.channel_max), num_channels, path)
    architecture: Architecture = "orig"
    if any(name.endswith("skip.weight") for name in tensors) or doublings == 0:
        architecture = "resnet"
    elif not growing and "b4.fromrgb.weight" in tensors:
        architecture = "skip"
    depth = sum(name.startswith("mapping_network.fc") and name.endswith(".weight") for name in tensors)
    c_dim, _ = _labels(tensors)
    if depth and recorded.mapping_lr_multiplier != 0.01:
        raise CheckpointError(
            f"'{path}': the discriminator's mapping network has learning rate multiplier "
            f"{recorded.mapping_lr_multiplier:g}, expected 0.01; no other is implemented"
        )
    return DiscriminatorConfig(
        img_resolution=img_resolution,
        img_channels=tensors.sizes(f"b{sides[-1]}.fromrgb.weight", 4)[1],
        c_dim=c_dim,
        architecture=architecture,
        growing=growing,
        channel_base=channel_base,
        channel_max=channel_max,
        mapping_layers=depth if c_dim else DiscriminatorConfig.mapping_layers,
        mbstd_group=recorded.mbstd_group,
        mbstd_features=in_channels - out_channels,
        num_fp16_res=recorded.num_fp16_res,
        conv_clamp=recorded.conv_clamp,
    )


def _labels(tensors: Renamed) -> tuple[int, LabelNorm]:
    """Return the length of a label and how it is joined with z."""
    if "mapping_network.label_matrix" in tensors:
        return tensors.sizes("mapping_network.label_matrix", 2)[0], "joint"
    if "mapping_network.embed.weight" in tensors:
        return tensors.sizes("mapping_network.embed.weight", 2)[1], "separate"
    return 0, "separate"


def _check_known(recorded: Recorded, path: str) -> None:
    for name, value in recorded.unknown.items():
        raise CheckpointError(
            f"'{path}' was trained with {name} = {str(value)[:40]!a}, which no network of this room computes; use the "
            "program it comes from"
        )


def _group(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, dict) else {}
