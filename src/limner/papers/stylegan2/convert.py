"""Networks of other programs as networks of this room: StyleGAN2's of NVIDIA, rosinality and genforce.

Every tensor of a file is used, or known to be of no use here: resampling filters, which must be [1, 3, 3, 1] like ours,
and settings of truncation.

Sources: `layouts` for names and transforms, `inference` for settings.

Deviations:
- NVIDIA's PyTorch networks clamp activations at `conv_clamp` in single precision too, ours in half precision alone.
- A conditional discriminator of NVIDIA's first StyleGAN2 program picks one of its outputs by the label; ours projects.
  Such a discriminator is left out.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limner.config import AugmentConfig, DataConfig, RunConfig
from limner.errors import CheckpointError, ConfigError
from limner.ops.renaming import Renamed, check_size, copy_into, gather_generators
from limner.papers.base import PresetRequest
from limner.papers.stylegan2 import inference, layouts
from limner.papers.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.stylegan2.generator import Generator, GeneratorConfig
from limner.papers.stylegan2.objective import ObjectiveConfig
from limner.papers.stylegan2.presets import PRESETS
from limner.papers.stylegan2.renaming import ForeignFile, check_filter

NAMES = {
    "nvidia-pytorch": {"generator_ema": "G_ema", "generator": "G", "discriminator": "D"},
    "nvidia-tensorflow": {"generator_ema": "Gs", "generator": "G", "discriminator": "D"},
    "rosinality": {"generator_ema": "g_ema", "generator": "g", "discriminator": "d"},
    "genforce": {"generator_ema": "generator_smooth", "generator": "generator", "discriminator": "discriminator"},
}
"""Layout -> our name of a network -> theirs."""
FILTER = re.compile(r"(.*\.)?(resample_filter|kernel)")
"""Names of resampling filters, which are constants."""
LODS = ("lod", "synthesis/lod")
"""Names of the level of detail of NVIDIA's TensorFlow networks."""
UNUSED = ("truncation.truncation", *LODS)
"""Tensors that are no weights: settings of truncation, which limner takes when pictures are made, and the level."""
AUGMENT_GROUPS = (
    ("b", "xflip"),
    ("g", "scale"),
    ("c", "brightness"),
    ("f", "imgfilter"),
    ("n", "noise"),
    ("c", "cutout"),
)
"""Letter of a group in `augment.pipe`, and a setting that is on when the group is (ADA paper, Section 2.2)."""
PIPES = ("b", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc")
NUM_W = 10_000
"""Latents averaged where a file has no average of w (StyleGAN2 paper, Appendix D)."""


def convert_official(file: ForeignFile) -> tuple[RunConfig, dict[str, nn.Module], list[str]]:
    """Build this room's networks from a file of another program.

    Args:
        file: of one of the four layouts.

    Returns:
        the configuration, networks by our names (`generator_ema` always, the others where the file has them), and
        sentences on what was left out or filled in.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape, or a setting is one we do not have.
    """
    if file.layout not in NAMES:
        raise CheckpointError(
            f"'{file.path}' names its tensors like {file.layout}, expected one of {', '.join(NAMES)}; no other layout "
            "of StyleGAN2 is read"
        )
    try:
        return _convert(file)
    except ConfigError as error:
        raise CheckpointError(f"'{file.path}' holds networks that limner cannot build: {error}") from None


def _convert(file: ForeignFile) -> tuple[RunConfig, dict[str, nn.Module], list[str]]:
    names, notes = NAMES[file.layout], list[str]()

    def find(ours: str) -> Generator | None:
        theirs = file.networks.get(names[ours])
        return None if theirs is None else _generator(file, theirs, notes)

    networks = gather_generators(find, file.path, notes)
    G: Generator = networks["generator_ema"]
    D: Discriminator | None = None
    if names["discriminator"] in file.networks:
        D = _discriminator(file, file.networks[names["discriminator"]], G.config, notes)
    if D is not None:
        networks["discriminator"] = D
    config = _run_config(G.config, D.config if D else _default_discriminator(G.config), _augment(file, notes))
    return config, networks, list(dict.fromkeys(notes))


def _generator(file: ForeignFile, network: Any, notes: list[str]) -> Generator:
    layout = file.layout
    foreign: Mapping[str, Tensor] = ChainMap(network.tensors, file.extras.get("tensors", {}))
    doublings = layouts.generator_doublings(layout, foreign)
    pairs = layouts.generator_pairs(layout, doublings, layouts.num_mapping_layers(layout, foreign))
    lod = max((float(foreign[name]) for name in LODS if name in foreign and foreign[name].numel() == 1), default=0.0)
    growing = any("_lod" in name for name in foreign)
    tensors = Renamed(foreign, pairs, file.path, _useless(file.path))
    recorded = inference.recorded_settings(layout, network.settings)
    config = inference.generator_config(tensors, recorded, doublings=doublings, growing=growing, path=file.path)
    check_size(lambda: Generator(config), foreign, file.path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for the noise maps of a file that has none
        G = Generator(config)
    missing = {name: tensor for name, tensor in G.state_dict().items() if name == "w_avg" and name not in tensors}
    if not any(name.endswith("noise_const") for name in tensors) and config.use_noise:
        notes.append("the file has no noise maps: fixed random ones were drawn")
        missing |= {name: tensor for name, tensor in G.state_dict().items() if name.endswith("noise_const")}
    copy_into(G, tensors, file.path, missing)
    if "w_avg" in missing:
        notes.append(f"the file has no average of w: it was taken over {NUM_W:,} latents")
        G.w_avg.copy_(_average_w(G))
    if growing:
        G.lod = min(max(lod, 0.0), float(doublings))
    return G.eval().requires_grad_(False)


def _discriminator(
    file: ForeignFile, network: Any, generator: GeneratorConfig, notes: list[str]
) -> Discriminator | None:
    foreign: Mapping[str, Tensor] = network.tensors
    layout, output = file.layout, foreign.get("Output/weight")
    if output is not None and output.ndim == 2 and output.shape[1] > 1 and "LabelEmbed/weight" not in foreign:
        notes.append("the discriminator picks its outputs by label, which no network here does: it was left out")
        return None
    doublings = layouts.discriminator_doublings(layout, foreign)
    pairs = layouts.discriminator_pairs(layout, doublings, layouts.num_mapping_layers(layout, foreign))
    tensors = Renamed(foreign, pairs, file.path, _useless(file.path))
    config = inference.discriminator_config(
        tensors,
        inference.recorded_settings(layout, network.settings),
        img_resolution=generator.img_resolution,
        doublings=doublings,
        growing=any("_lod" in name for name in foreign),
        path=file.path,
    )
    check_size(lambda: Discriminator(config), foreign, file.path)
    with torch.random.fork_rng(devices=[]):
        D = Discriminator(config)
    copy_into(D, tensors, file.path)
    return D.eval().requires_grad_(False)


def _useless(path: str) -> Callable[[str, Tensor], bool]:
    """Return what tells of a tensor whether it is a constant or a setting, after checking resampling filters."""

    def is_useless(name: str, tensor: Tensor) -> bool:
        if not FILTER.fullmatch(name):
            return name in UNUSED
        check_filter(name, tensor, path)
        return True

    return is_useless


@torch.no_grad()
def _average_w(G: Generator) -> Tensor:
    """Return the mean [w_dim] of w over `NUM_W` latents, the same for the same weights."""
    rng = np.random.RandomState(0)
    z = torch.from_numpy(rng.randn(NUM_W, G.z_dim).astype(np.float32))
    c = torch.eye(G.c_dim)[torch.arange(NUM_W) % G.c_dim] if G.c_dim else None
    return G.mapping_network(z, c).mean(0)


def _default_discriminator(config: GeneratorConfig) -> DiscriminatorConfig:
    """Settings of the discriminator that a file without one is given: as wide as the generator."""
    return DiscriminatorConfig(
        img_resolution=config.img_resolution,
        img_channels=config.img_channels,
        c_dim=config.c_dim,
        architecture="orig" if config.growing else "resnet",
        growing=config.growing,
        channel_base=config.channel_base,
        channel_max=config.channel_max,
        num_fp16_res=config.num_fp16_res,
        conv_clamp=config.conv_clamp,
    )


def _augment(file: ForeignFile, notes: list[str]) -> AugmentConfig:
    """Return the augmentation that NVIDIA's PyTorch program and rosinality's record, p included."""
    pipe = file.networks.get("augment_pipe")
    if pipe is not None and "p" in pipe.tensors and pipe.tensors["p"].numel() == 1:
        p = float(pipe.tensors["p"])
        letters = "".join(letter for letter, name in AUGMENT_GROUPS if pipe.settings.get(name))
    elif isinstance(file.extras.get("ada_aug_p"), float) and file.extras["ada_aug_p"]:
        p, letters = file.extras["ada_aug_p"], "bgc"  # rosinality's own transforms are of these groups
    else:
        return AugmentConfig()
    if letters not in PIPES or not 0 <= p <= 1:
        notes.append(f"the augmentation (groups '{letters}', p {p:.3f}) is not one of ours: it was left out")
        return AugmentConfig()
    return AugmentConfig(mode="ada", pipe=letters, p=p)


def _run_config(generator: GeneratorConfig, discriminator: DiscriminatorConfig, augment: AugmentConfig) -> RunConfig:
    return RunConfig(
        preset=_preset(generator, discriminator),
        room="stylegan2",
        data=DataConfig(
            resolution=generator.img_resolution,
            channels=generator.img_channels,
            c_dim=generator.c_dim,
            cond=generator.c_dim > 0,
        ),
        generator=generator,
        discriminator=discriminator,
        objective=ObjectiveConfig(),
        augment=augment,
    )


def _preset(generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> str:
    """Return the name of the preset that is most like these networks."""

    def likeness(name: str) -> int:
        request = PresetRequest(
            resolution=generator.img_resolution, channels=generator.img_channels, c_dim=generator.c_dim
        )
        config = PRESETS[name].build(request)
        settings = ("architecture", "growing", "channel_base", "channel_max", "mapping_layers", "z_dim", "mbstd_group")
        pairs = ((generator, config.generator), (discriminator, config.discriminator))
        return sum(getattr(a, s, None) == getattr(b, s, None) for a, b in pairs for s in settings)

    return max(PRESETS, key=likeness)
