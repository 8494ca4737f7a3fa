"""Networks of other programs as networks of this room: ProGAN of NVIDIA and genforce.

Every tensor of a file is used, but the level of detail, which becomes an attribute.

Sources: `layouts` for names and transforms; settings that NVIDIA's programs record, and their defaults.

Deviations:
- A generator trained in half precision adds 1e-4 to a pixel's mean square, this room 1e-8: told, not followed.
- genforce records no settings: its networks are taken for the published ones (groups of 16, halving after activation).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from limner.config import DataConfig, RunConfig
from limner.errors import CheckpointError, ConfigError
from limner.ops.renaming import (
    ForeignFile,
    ForeignNetwork,
    Renamed,
    channel_law,
    check_settings,
    check_size,
    copy_into,
    count_doublings,
    gather_generators,
    number,
)
from limner.papers.base import PresetRequest
from limner.papers.progan import layouts
from limner.papers.progan.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.progan.generator import Generator, GeneratorConfig, num_channels
from limner.papers.progan.objective import ObjectiveConfig
from limner.papers.progan.presets import PRESETS

NAMES = {
    "nvidia-tensorflow": {"generator_ema": "Gs", "generator": "G", "discriminator": "D"},
    "genforce": {"generator_ema": "generator_smooth", "generator": "generator", "discriminator": "discriminator"},
}
"""Layout -> our name of a network -> theirs."""
LOD = "lod"
"""Name of the level of detail."""
PIXELNORM_EPS = 1e-8
PUBLISHED_GROUP, DEFAULT_GROUP = 16, 4
"""Samples compared by minibatch standard deviation: of the published networks; of NVIDIA's program unless told."""


def convert_official(file: ForeignFile) -> tuple[RunConfig, dict[str, nn.Module], list[str]]:
    """Build this room's networks from a file of another program.

    Args:
        file: of one of the two layouts.

    Returns:
        the configuration, networks by our names (`generator_ema` always, the others where the file has them), and
        sentences on what was left out or filled in.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape, or a setting is one we do not have.
    """
    if file.layout not in NAMES:
        raise CheckpointError(
            f"'{file.path}' names its tensors like {file.layout}, expected one of {', '.join(NAMES)}; no other layout "
            "of ProGAN is read"
        )
    try:
        return _convert(file)
    except ConfigError as error:
        raise CheckpointError(f"'{file.path}' holds networks that limner cannot build: {error}") from None


def _convert(file: ForeignFile) -> tuple[RunConfig, dict[str, nn.Module], list[str]]:
    notes = list[str]()
    theirs = {ours: file.networks[name] for ours, name in NAMES[file.layout].items() if name in file.networks}
    c_dim = _label_size(file, theirs)

    def find(ours: str) -> Generator | None:
        return _generator(file, theirs[ours], c_dim, notes) if ours in theirs else None

    networks = gather_generators(find, file.path, notes)
    G: Generator = networks["generator_ema"]
    d_config = _default_discriminator(G.config)
    if "discriminator" in theirs and not theirs["discriminator"].settings.get("use_leakyrelu", True):
        notes.append("the discriminator has ReLU, every one here leaky ReLU: it was left out")
    elif "discriminator" in theirs:
        D = _discriminator(file, theirs["discriminator"], G.config)
        networks["discriminator"], d_config = D, D.config
    return _run_config(G.config, d_config), networks, list(dict.fromkeys(notes))


def _label_size(file: ForeignFile, networks: Mapping[str, ForeignNetwork]) -> int:
    """Return the length of a label: what the discriminator guesses besides its score, or else what was recorded."""
    if "discriminator" not in networks:
        return max((int(number(network.settings, "label_size", 0)) for network in networks.values()), default=0)
    foreign = networks["discriminator"].tensors
    last = "4x4/Dense1" if file.layout == "nvidia-tensorflow" else f"layer{2 * _d_doublings(file, foreign) + 2}"
    bias = next((foreign[name] for name in (f"{last}/bias", f"{last}.bias") if name in foreign), torch.zeros(1))
    return bias.numel() - 1


def _generator(file: ForeignFile, network: ForeignNetwork, c_dim: int, notes: list[str]) -> Generator:
    foreign, settings, path = network.tensors, network.settings, file.path
    if file.layout == "nvidia-tensorflow":
        doublings = count_doublings(lambda level: "{0}x{0}/Conv1/weight".format(4 * 2**level), foreign, path)
        pairs = layouts.tensorflow_generator(doublings)
    else:
        doublings = count_doublings(lambda level: f"layer{2 * level}.weight", foreign, path)
        pairs = layouts.genforce_generator(doublings)
    tensors = Renamed(foreign, pairs, path, lambda name, _: name == LOD)
    config = _generator_config(tensors, settings, c_dim=c_dim, doublings=doublings, path=path)
    check_size(lambda: Generator(config), foreign, path)
    with torch.random.fork_rng(devices=[]):
        G = Generator(config)
    copy_into(G, tensors, path, {"w_avg": torch.zeros_like(G.w_avg)})  # the origin, whatever the weights
    if settings.get("pixelnorm_epsilon", PIXELNORM_EPS) != PIXELNORM_EPS:
        notes.append("the generator was trained with 1e-4 added in pixelwise normalization, here it is 1e-8")
    G.lod = min(max(float(foreign[LOD]), 0.0), float(doublings)) if LOD in foreign else 0.0
    return G.eval().requires_grad_(False)


def _generator_config(
    tensors: Renamed, settings: Mapping[str, Any], *, c_dim: int, doublings: int, path: str
) -> GeneratorConfig:
    check_settings(settings, {"pixelnorm_epsilon": (PIXELNORM_EPS, 1e-4)}, path)
    blocks = [f"synthesis_network.b{4 * 2**level}" for level in range(doublings + 1)]
    layers = [f"{blocks[0]}.conv", *(f"{block}.conv1" for block in blocks[1:])]
    channels = [tensors.sizes(f"{layer}.weight", 4)[0] for layer in layers]
    channel_base, channel_max = channel_law(channels, _recorded_widths(settings), num_channels, path)
    return GeneratorConfig(
        img_resolution=(4 << doublings, 4 << doublings),
        img_channels=tensors.sizes(f"{blocks[-1]}.torgb.weight", 4)[0],
        z_dim=tensors.sizes(f"{blocks[0]}.dense.weight", 2)[1] - c_dim,
        c_dim=c_dim,
        channel_base=channel_base,
        channel_max=channel_max,
        normalization="pixel" if settings.get("use_pixelnorm", True) else "none",
        activation="lrelu" if settings.get("use_leakyrelu", True) else "relu",
        normalize_latents=bool(settings.get("normalize_latents", True)),
        equalized=bool(settings.get("use_wscale", True)),
    )


def _discriminator(file: ForeignFile, network: ForeignNetwork, generator: GeneratorConfig) -> Discriminator:
    foreign, settings, path = network.tensors, network.settings, file.path
    doublings = _d_doublings(file, foreign)
    is_tensorflow = file.layout == "nvidia-tensorflow"
    pairs = (layouts.tensorflow_discriminator if is_tensorflow else layouts.genforce_discriminator)(doublings)
    tensors = Renamed(foreign, pairs, path, lambda name, _: name == LOD)
    out_channels, in_channels, *_ = tensors.sizes("b4.conv.weight", 4)
    channels = [tensors.sizes(f"b{8 * 2**index}.conv0.weight", 4)[0] for index in range(doublings)]
    channel_base, channel_max = channel_law([out_channels, *channels], _recorded_widths(settings), num_channels, path)
    group = int(number(settings, "mbstd_group_size", DEFAULT_GROUP if is_tensorflow else PUBLISHED_GROUP))
    config = DiscriminatorConfig(
        img_resolution=generator.img_resolution,
        img_channels=generator.img_channels,
        c_dim=generator.c_dim,
        channel_base=channel_base,
        channel_max=channel_max,
        mbstd_group=max(group, 1),
        mbstd_features=in_channels - out_channels,
        equalized=bool(settings.get("use_wscale", True)),
        fused_scale=_is_halved_before_activation(foreign, path),
    )
    check_size(lambda: Discriminator(config), foreign, path)
    with torch.random.fork_rng(devices=[]):
        D = Discriminator(config)
    copy_into(D, tensors, path)
    return D.eval().requires_grad_(False)


def _d_doublings(file: ForeignFile, foreign: Mapping[str, Tensor]) -> int:
    """Return how many blocks a discriminator has besides the base grid's."""
    if file.layout == "nvidia-tensorflow":
        return count_doublings(lambda level: "{0}x{0}/Conv0/weight".format(4 * 2**level), foreign, file.path)
    return count_doublings("input{}.weight".format, foreign, file.path)


def _is_halved_before_activation(foreign: Mapping[str, Tensor], path: str) -> bool:
    """Whether halving is one with the convolution, hence before bias and activation: so says the name of the layer."""
    kinds = {name.endswith("_down/weight") for name in foreign if "/Conv1" in name and name.endswith("weight")}
    if len(kinds) == 2:
        raise CheckpointError(
            f"'{path}': the discriminator halves before the activation in some blocks and after it in others, expected "
            "one of the two; use the program it comes from"
        )
    return kinds == {True}


def _default_discriminator(config: GeneratorConfig) -> DiscriminatorConfig:
    """Return the settings of the discriminator that a file without one is given: as wide as the generator."""
    return DiscriminatorConfig(
        img_resolution=config.img_resolution,
        img_channels=config.img_channels,
        c_dim=config.c_dim,
        channel_base=config.channel_base,
        channel_max=config.channel_max,
        equalized=config.equalized,
    )


def _recorded_widths(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Return channel_base and channel_max; TensorFlow counts from half the side."""
    return 2 * int(number(settings, "fmap_base", 0)), int(number(settings, "fmap_max", 0))


def _run_config(generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> RunConfig:
    return RunConfig(
        preset=_preset(generator, discriminator),
        room="progan",
        data=DataConfig(
            resolution=generator.img_resolution,
            channels=generator.img_channels,
            c_dim=generator.c_dim,
            cond=generator.c_dim > 0,
        ),
        generator=generator,
        discriminator=discriminator,
        objective=ObjectiveConfig(),
    )


def _preset(generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> str:
    """Return the name of the preset that is most like these networks."""

    def likeness(name: str) -> int:
        request = PresetRequest(
            resolution=generator.img_resolution, channels=generator.img_channels, c_dim=generator.c_dim
        )
        config = PRESETS[name].build(request)
        pairs = ((vars(generator), vars(config.generator)), (vars(discriminator), vars(config.discriminator)))
        return sum(ours[key] == preset[key] for ours, preset in pairs for key in ours)

    return max(PRESETS, key=likeness)
