"""The configuration of a network from its tensors, and from what the program that trained it recorded.

Tensors under our names say the resolution, widths, depths, labels, and which of the paper's parts a generator has.
Settings say what tensors cannot: normalisations, the learning rate multiplier of the mapping network, the group of the
minibatch standard deviation, whether doublings are merged with their convolutions.

Sources: names of settings that NVIDIA's programs record, and their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limner.ops.renaming import Renamed, channel_law, check_settings, count, number
from limner.papers.stylegan.discriminator import DiscriminatorConfig
from limner.papers.stylegan.generator import GeneratorConfig, num_channels

BLUR_TAPS = [1, 2, 1]
KNOWN: dict[str, tuple[Any, ...]] = {
    "use_wscale": (True, None),
    "nonlinearity": ("lrelu", None),
    "mapping_nonlinearity": ("lrelu", None),
    "normalize_latents": (True, None),
    "blur_filter": (BLUR_TAPS, [1], None),
    "fused_scale": ("auto", True, False),
}
"""Setting -> values that a network here computes."""
MERGED_FROM = 128
"""Side from which doublings are merged with their convolution by default, pixels."""


def is_merged(settings: Mapping[str, Any], side: int) -> bool:
    """Whether the doubling to pictures of this side is merged with its convolution."""
    recorded = settings.get("fused_scale", "auto")
    return side >= MERGED_FROM if recorded == "auto" else bool(recorded)


def generator_config(
    tensors: Renamed, settings: Mapping[str, Any], *, doublings: int, blur: bool, path: str, tanh: bool = False
) -> GeneratorConfig:
    """Return the configuration of a generator.

    Args:
        tensors: under our names.
        settings: what was recorded.
        doublings: blocks besides the base grid's.
        blur: whether it filters after doubling.
        path: of the file, for messages.
        tanh: whether pictures go through a tanh.

    Raises:
        CheckpointError: a tensor that decides is missing or of no such shape, widths follow no rule, or a setting has a
            value that no network here computes.
        ConfigError: a value no network of ours takes.
    """
    check_settings(settings, KNOWN, path)
    blocks = [f"synthesis_network.b{4 * 2**level}" for level in range(doublings + 1)]
    channels = [tensors.sizes(f"{block}.conv1.weight", 4)[0] for block in blocks]
    channel_base, channel_max = channel_law(channels, _recorded_widths(settings), num_channels, path)
    has_styles, has_const = f"{blocks[0]}.conv1.affine.weight" in tensors, f"{blocks[0]}.input.const" in tensors
    reader = "conv1.affine.weight" if has_styles else "input.dense.weight"
    w_dim = tensors.sizes(f"{blocks[0]}.{reader}", 2)[1]
    base_h, base_w = tensors.sizes(f"{blocks[0]}.input.const", 3)[1:] if has_const else (4, 4)
    depth = count("mapping_network.fc{}.weight".format, tensors)
    c_dim, z_dim = 0, tensors.sizes("mapping_network.fc0.weight", 2)[1] if depth else w_dim
    if "mapping_network.label_matrix" in tensors:
        c_dim, z_dim = tensors.sizes("mapping_network.label_matrix", 2)
    return GeneratorConfig(
        img_resolution=(base_h << doublings, base_w << doublings),
        img_channels=tensors.sizes(f"{blocks[-1]}.torgb.weight", 4)[0],
        z_dim=z_dim,
        w_dim=w_dim,
        c_dim=c_dim,
        mapping_layers=depth,
        mapping_lr_multiplier=number(settings, "mapping_lrmul", 0.01),
        per_layer_w=depth > 0 and tensors.sizes(f"mapping_network.fc{depth - 1}.weight", 2)[0] != w_dim,
        use_styles=has_styles,
        const_input=has_const,
        use_noise=f"{blocks[0]}.conv1.noise_strength" in tensors,
        pixel_norm=bool(settings.get("use_pixel_norm", False)),
        instance_norm=bool(settings.get("use_instance_norm", True)),
        blur=blur,
        tanh_output=tanh,
        channel_base=channel_base,
        channel_max=channel_max,
        w_avg_beta=number(settings, "dlatent_avg_beta", 0.995),
    )


def discriminator_config(
    tensors: Renamed,
    settings: Mapping[str, Any],
    generator: GeneratorConfig,
    *,
    group: int | None,
    blur: bool,
    path: str,
) -> DiscriminatorConfig:
    """Return the configuration of a discriminator of the pictures and labels of `generator`; see `generator_config`.

    Args:
        tensors: under our names.
        settings: what was recorded.
        generator: of the same file.
        group: of the minibatch standard deviation where none was recorded.
        blur: whether it filters before halving.
        path: of the file, for messages.
    """
    check_settings(settings, KNOWN, path)
    out_channels, in_channels, *_ = tensors.sizes("b4.conv.weight", 4)
    doublings = count(lambda index: f"b{8 * 2**index}.conv0.weight", tensors)
    channels = [out_channels] + [tensors.sizes(f"b{8 * 2**i}.conv0.weight", 4)[0] for i in range(doublings)]
    channel_base, channel_max = channel_law(channels, _recorded_widths(settings), num_channels, path)
    recorded = number(settings, "mbstd_group_size", 0)
    return DiscriminatorConfig(
        img_resolution=generator.img_resolution,
        img_channels=generator.img_channels,
        c_dim=generator.c_dim,
        channel_base=channel_base,
        channel_max=channel_max,
        blur=blur,
        mbstd_group=int(recorded) if recorded >= 1 else group,
        mbstd_features=in_channels - out_channels,
    )


def default_discriminator(config: GeneratorConfig) -> DiscriminatorConfig:
    """Return the settings of the discriminator that a file without one is given: as wide as the generator."""
    return DiscriminatorConfig(
        img_resolution=config.img_resolution,
        img_channels=config.img_channels,
        c_dim=config.c_dim,
        channel_base=config.channel_base,
        channel_max=config.channel_max,
        blur=config.blur,
    )


def _recorded_widths(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Return channel_base and channel_max; TensorFlow counts from half the side."""
    return 2 * int(number(settings, "fmap_base", 0)), int(number(settings, "fmap_max", 0))
