"""Networks of other programs as networks of this room: StyleGAN of NVIDIA, rosinality, genforce and IDInvert.

Every tensor of a file is used, or known to be of no use here: blurs, which must be [1, 2, 1] like ours, settings of
truncation, the level of detail, and blocks of rosinality's networks that training never reached.

Sources: `layouts` for names and transforms, `inference` for settings.

Deviations:
- rosinality uses one noise map for both layers of a resolution; the fixed maps here do too, random ones do not.
- rosinality adds 1e-5 to the variance of a feature map, this room 1e-8.
- rosinality adds the bias of a doubling layer before the blur, whose zeros around the picture weaken it at the border;
  here it comes after, as in NVIDIA's networks. No weights make the two the same.
- rosinality's discriminator widens in the first convolution of a block, NVIDIA's in the second: it is left out where
  widths differ.
- A network trained without growing has toRGB or fromRGB for full resolution alone; the others are zero here.
- The encoder in IDInvert's TensorFlow pickles is left out: the names of its variables are not published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from limner.config import DataConfig, RunConfig, base_grid
from limner.errors import CheckpointError, ConfigError
from limner.ops.renaming import (
    ForeignFile,
    ForeignNetwork,
    Pair,
    Renamed,
    check_size,
    copy_into,
    count,
    count_doublings,
    gather_generators,
    is_blur,
)
from limner.papers.base import PresetRequest
from limner.papers.stylegan import inference, layouts
from limner.papers.stylegan.discriminator import Discriminator, DiscriminatorConfig
from limner.papers.stylegan.generator import Generator, GeneratorConfig
from limner.papers.stylegan.objective import ObjectiveConfig
from limner.papers.stylegan.presets import PRESETS

NAMES = {
    "nvidia-tensorflow": {"generator_ema": "Gs", "generator": "G", "discriminator": "D"},
    "rosinality": {"generator_ema": "g_running", "generator": "generator", "discriminator": "discriminator"},
    "genforce": {"generator_ema": "generator_smooth", "generator": "generator", "discriminator": "discriminator"},
    "idinvert": {"generator_ema": "generator", "generator": "", "discriminator": ""},
}
"""Layout -> our name of a network -> theirs."""
ENCODER = "E"
"""Name of the encoder in IDInvert's TensorFlow pickles, whose generator ends in a tanh as in its port to torch."""
LODS = ("lod", "synthesis.lod", "synthesis/lod")
"""Names of the level of detail."""
TRUNCATION = "truncation.truncation"
"""A setting of truncation kept as a tensor; limner takes it when pictures are made."""
BLUR = re.compile(
    r"(.*\.)?blur\.kernel|generator\.progression\.\d+\.conv1\.[12]\.weight(_flip)?|"
    r"progression\.\d+\.conv2\.0\.weight(_flip)?"
)
"""Names of blurs."""
NUM_COMPARED: int | None = 4
"""Samples compared by minibatch standard deviation where a file does not say (NVIDIA's and genforce's default)."""
NUM_W = 10_000
"""Latents averaged where a file has no average of w (StyleGAN2 paper, Appendix D)."""


def convert_official(file: ForeignFile) -> tuple[RunConfig, dict[str, nn.Module], list[str]]:
    """Build this room's networks from a file of another program.

    Args:
        file: of one of the layouts in `NAMES`.

    Returns:
        the configuration, networks by our names (`generator_ema` always, the others where the file has them), and
        sentences on what was left out or filled in.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape, or a setting is one we do not have.
    """
    if file.layout not in NAMES:
        raise CheckpointError(
            f"'{file.path}' names its tensors like {file.layout}, expected one of {', '.join(NAMES)}; no other layout "
            "of StyleGAN is read"
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
    if ENCODER in file.networks:
        notes.append("the encoder E was left out: the names of its variables are not published; train one for it")
    config = _run_config(G.config, D.config if D else inference.default_discriminator(G.config))
    return config, networks, list(dict.fromkeys(notes))


def _generator(file: ForeignFile, network: ForeignNetwork, notes: list[str]) -> Generator:
    foreign, path = network.tensors, file.path
    doublings = _generator_doublings(file, foreign, notes)
    is_idinvert = file.layout == "idinvert" or ENCODER in file.networks
    pairs = _generator_pairs(file.layout, network, doublings, 2 * (doublings + 1) if is_idinvert else None)
    left_out = range(doublings + 1, len(foreign)) if file.layout == "rosinality" else range(0)
    tensors = Renamed(foreign, pairs, path, partial(_is_useless, path, left_out))
    blur = _is_blurred(file.layout, network)
    config = inference.generator_config(
        tensors, network.settings, doublings=doublings, blur=blur, path=path, tanh=is_idinvert
    )
    check_size(lambda: Generator(config), foreign, path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for the noise maps of a file that has none
        G = Generator(config)
    filled = _filled(G, tensors, file.layout, notes)
    copy_into(G, tensors, path, filled)
    if "w_avg" in filled:
        notes.append(f"the file has no average of w: it was taken over {NUM_W:,} latents")
        G.w_avg.copy_(_average_w(G))
    lods = [float(foreign[name]) for name in LODS if name in foreign and foreign[name].numel() == 1]
    G.lod = min(max(lods, default=0.0), float(doublings))
    return G.eval().requires_grad_(False)


def _generator_doublings(file: ForeignFile, foreign: Mapping[str, Tensor], notes: list[str]) -> int:
    """Return how many blocks to take besides the base grid's."""
    names = {
        "nvidia-tensorflow": lambda level: "synthesis/{0}x{0}/Conv1/weight".format(4 * 2**level),
        "genforce": lambda level: f"synthesis.layer{2 * level}.weight",
        "idinvert": lambda level: f"synthesis.layer{2 * level}.epilogue.bias",
        "rosinality": lambda level: f"generator.to_rgb.{level}.conv.weight_orig",
    }
    made = reached = count_doublings(names[file.layout], foreign, file.path)
    if file.layout != "rosinality":
        return made
    while reached and not any(foreign[name].any() for name in layouts.rosinality_untrained(reached) if name in foreign):
        reached -= 1
    if reached == made or not reached:
        return made
    notes.append(
        f"blocks above {4 * 2**reached} pixels were never trained (biases and noise strengths are zero): they were "
        "left out"
    )
    return reached


def _generator_pairs(layout: str, network: ForeignNetwork, doublings: int, num_averages: int | None) -> Iterable[Pair]:
    """Return the pairs of a layout; `num_averages` is that of `layouts.tensorflow_generator`."""
    foreign, is_merged = network.tensors, partial(inference.is_merged, network.settings)
    if layout == "rosinality":
        depth = count(lambda index: f"style.{2 * index + 1}.linear.weight_orig", foreign)
        return layouts.rosinality_generator(doublings, depth, GeneratorConfig.mapping_lr_multiplier)
    if layout == "idinvert":
        depth = count("mapping.dense{}.fc.weight".format, foreign)
        return layouts.idinvert_generator(doublings, depth, 2 * (doublings + 1))
    if layout == "genforce":
        return layouts.genforce_generator(doublings, count("mapping.dense{}.weight".format, foreign), is_merged)
    depth = count("mapping/Dense{}/weight".format, foreign)
    return layouts.tensorflow_generator(doublings, depth, is_merged, num_averages)


def _filled(G: Generator, tensors: Mapping[str, Tensor], layout: str, notes: list[str]) -> dict[str, Tensor]:
    """Return what the network has and the file has not, by name."""
    state, blocks = G.state_dict(), [G.synthesis_network.block(name) for name in G.synthesis_network.blocks]
    filled = {} if "w_avg" in tensors else {"w_avg": state["w_avg"]}
    if layout == "rosinality":
        filled["synthesis_network.b4.input.bias"] = torch.zeros_like(state["synthesis_network.b4.input.bias"])
        notes.append("the file has no noise maps: fixed random ones were drawn, one a resolution as in that program")
        notes.append(
            "pictures differ at their border from that program's, which adds the biases of doubling layers before the "
            "blur; here they come after it, as in NVIDIA's networks"
        )
        for block in blocks:
            first, second = block.layers()
            second.noise_const.copy_(first.noise_const)
        filled |= {name: tensor for name, tensor in state.items() if name.endswith("noise_const")}
    lower = [f"synthesis_network.{name}.torgb." for name in G.synthesis_network.blocks[:-1]]
    return filled | _lower_resolutions(state, tensors, lower, "toRGB", notes)


def _lower_resolutions(
    state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], prefixes: list[str], what: str, notes: list[str]
) -> dict[str, Tensor]:
    """Return zeros for the toRGB or fromRGB of lower resolutions, if the file has none of them."""
    if not prefixes or any(name.startswith(tuple(prefixes)) for name in tensors):
        return {}
    notes.append(f"the file has {what} for full resolution alone: those of lower ones are zero")
    return {name: torch.zeros_like(tensor) for name, tensor in state.items() if name.startswith(tuple(prefixes))}


@torch.no_grad()
def _average_w(G: Generator) -> Tensor:
    """Return the mean [w_dim] of w over `NUM_W` latents, the same for the same weights."""
    z = torch.from_numpy(np.random.RandomState(0).randn(NUM_W, G.z_dim).astype(np.float32))
    c = torch.eye(G.c_dim)[torch.arange(NUM_W) % G.c_dim] if G.c_dim else None
    return G.mapping_network(z, c).mean(0)


def _discriminator(
    file: ForeignFile, network: ForeignNetwork, generator: GeneratorConfig, notes: list[str]
) -> Discriminator | None:
    foreign, layout, path = network.tensors, file.layout, file.path
    doublings = base_grid(generator.img_resolution)[2]
    left_out, group = range(0), NUM_COMPARED
    if layout == "rosinality":
        num_blocks, group = count("progression.{}.conv1.0.conv.weight_orig".format, foreign), None
        left_out = range(num_blocks - 1 - doublings)
        if (reason := _objection(foreign, num_blocks, doublings)) is not None:
            notes.append(f"{reason}: it was left out")
            return None
        pairs = layouts.rosinality_discriminator(doublings, num_blocks)
    elif layout == "genforce":
        pairs = layouts.genforce_discriminator(doublings)
    else:
        pairs = layouts.tensorflow_discriminator(doublings)
    tensors = Renamed(foreign, pairs, path, partial(_is_useless, path, left_out))
    blur = _is_blurred(layout, network)
    config = inference.discriminator_config(tensors, network.settings, generator, group=group, blur=blur, path=path)
    check_size(lambda: Discriminator(config), foreign, path)
    with torch.random.fork_rng(devices=[]):
        D = Discriminator(config)
    lower = [f"{name}.fromrgb." for name in (*D.blocks, "b4")[1:]]
    copy_into(D, tensors, path, _lower_resolutions(D.state_dict(), tensors, lower, "fromRGB", notes))
    return D.eval().requires_grad_(False)


def _objection(foreign: Mapping[str, Tensor], num_blocks: int, doublings: int) -> str | None:
    """Return why a discriminator of rosinality has no place in this room; None when it has."""
    numbers = range(num_blocks - 1 - doublings, num_blocks - 1)
    if f"from_rgb.{num_blocks - 1}.0.conv.weight_orig" not in foreign:
        return "the discriminator has no activation after fromRGB, which every one here has"
    shapes = [foreign[f"progression.{number}.conv1.0.conv.weight_orig"].shape for number in numbers]
    if any(shape[0] != shape[1] for shape in shapes):
        return "the discriminator widens in the first convolution of a block, every one here in the second"
    return None


def _is_useless(path: str, left_out: range, name: str, tensor: Tensor) -> bool:
    """Whether nothing here needs a tensor of a file, of whose blocks of rosinality's those in `left_out` are not taken.

    Raises:
        CheckpointError: a blur of another form.
    """
    if BLUR.fullmatch(name):
        if not is_blur(tensor):
            raise CheckpointError(
                f"'{path}': '{name}' is a blur of another form than [1, 2, 1], expected that; no other is implemented"
            )
        return True
    return name in (*LODS, TRUNCATION) or layouts.rosinality_block(name) in left_out


def _is_blurred(layout: str, network: ForeignNetwork) -> bool:
    if layout == "nvidia-tensorflow":
        return network.settings.get("blur_filter", inference.BLUR_TAPS) == inference.BLUR_TAPS
    return any(BLUR.fullmatch(name) for name in network.tensors)


def _run_config(generator: GeneratorConfig, discriminator: DiscriminatorConfig) -> RunConfig:
    return RunConfig(
        preset=_preset(generator, discriminator),
        room="stylegan",
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
