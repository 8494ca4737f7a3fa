"""The published configurations of StyleGAN, the rungs of its ablations, and two that train on small machines.

Sources: StyleGAN paper, Tables 1 and 2, Section 2.1 and Appendix C; the official settings (batches of official ProGAN
training by the number of processes; learning rates, WGAN-GP for CelebA-HQ); StyleGAN2 paper, Table 1, row A. [3P] marks
a score as third parties quote it, [M] one that was not looked up again.

Rule for other resolutions: a preset published at one resolution keeps the width of its finest layer, so `channel_base`
is scaled by resolution / native resolution; `generator.channel_base` says what came out. Growing starts from 8 pixels
at every resolution.

Rules for growing: a run of another length grows in proportion; a batch that is asked for holds at every resolution. The
average of weights of a shorter run covers at most its last twentieth (`ema.rampup`): that of the published length would
still be near the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from limner.config import (
    CallbacksConfig,
    DataConfig,
    EmaConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    nominal_side,
)
from limner.papers.base import Preset, PresetRequest
from limner.papers.stylegan.discriminator import DiscriminatorConfig
from limner.papers.stylegan.generator import GeneratorConfig
from limner.papers.stylegan.ladders import CONFIG_SCORES, MIXING_SCORES, mixing_preset
from limner.papers.stylegan.objective import ObjectiveConfig

INITIAL_RESOLUTION = 8
"""Pixels that growing starts from (StyleGAN paper, Appendix C)."""

# Number of processes -> total batch at 4, 8, 16, ... pixels; the last one holds beyond (official ProGAN training).
BATCHES: dict[int, tuple[int, ...]] = {
    1: (128, 128, 128, 64, 32, 16, 8, 4),
    2: (256, 256, 128, 64, 32, 16, 8),
    4: (512, 256, 128, 64, 32, 16),
    8: (512, 256, 128, 64, 32),
}
LR = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}
"""Resolution -> learning rate; 0.001 below (official StyleGAN training)."""
LR_WGAN = {resolution: min(lr, 0.002) for resolution, lr in LR.items()}
"""The same for CelebA-HQ."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """One row of a table of settings."""

    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    generator: Mapping[str, Any] = field(default_factory=dict)
    """Options of the generator that differ from the final StyleGAN's."""
    batches: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: BATCHES)
    lr: float = 0.001
    lr_by_resolution: Mapping[int, float] = field(default_factory=lambda: LR)
    total_kimg: float | None = 25000
    """None: what growing takes, and `last_kimg`."""
    last_kimg: float = 0
    phase_kimg: float = 600
    """Length of training at a resolution, and of the fade to the next one."""
    ema_kimg: float = 10
    ema_decay: float | None = None
    """Decay a step, at the last resolution; None: by `ema_kimg`."""
    ema_rampup: float | None = None
    mbstd_group: int | None = 4
    channel_base: int = 16384
    channel_max: int = 512
    latent: int = 512
    mirror: bool = True
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)


def _length(settings: _Settings, side: int) -> float:
    """The published kimg of a run that ends at resolution `side`."""
    num_steps = (side // min(INITIAL_RESOLUTION, side)).bit_length() - 1
    return settings.total_kimg or num_steps * 2 * settings.phase_kimg + settings.last_kimg


def _schedule(settings: _Settings, side: int, stretch: float, request: PresetRequest) -> tuple[ScheduleConfig, int]:
    """Growth that ends at resolution `side`, its phases `stretch` times as long, and the last batch."""
    start = min(INITIAL_RESOLUTION, side)
    table = settings.batches[max(count for count in settings.batches if count <= request.num_processes)]
    resolutions = [start << step for step in range((side // start).bit_length())]
    batches = {at: table[min(at.bit_length() - 3, len(table) - 1)] for at in resolutions}
    schedule = ScheduleConfig(
        grow=True,
        initial_resolution=start,
        stable_kimg=settings.phase_kimg * stretch,
        fade_kimg=settings.phase_kimg * stretch,
        batch_by_resolution={} if request.batch else batches,
        lr_by_resolution={at: lr for at, lr in settings.lr_by_resolution.items() if at in resolutions},
    )
    return schedule, request.batch or batches[side]


def _build(name: str, settings: _Settings, native: int) -> Callable[[PresetRequest], RunConfig]:
    """A preset with fixed settings: narrower at lower resolutions, the batch changed only on request."""

    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (native, native)
        side = nominal_side(resolution)
        published_kimg = _length(settings, side)
        total_kimg = published_kimg if request.total_kimg is None else request.total_kimg
        schedule, batch = _schedule(settings, side, total_kimg / published_kimg, request)
        shared: dict[str, Any] = {
            "img_resolution": resolution,
            "img_channels": request.channels,
            "c_dim": request.c_dim,
            "channel_base": settings.channel_base * side // native,
            "channel_max": settings.channel_max,
        }
        has_mapping = settings.generator.get("mapping_layers") != 0
        options: dict[str, Any] = {
            "z_dim": settings.latent,
            # without a mapping network w is z, and beside it the label's embedding
            "w_dim": settings.latent if has_mapping or not request.c_dim else 2 * settings.latent,
        }
        ema_kimg = settings.ema_kimg
        if settings.ema_decay is not None:
            ema_kimg = batch / 1000 * math.log(0.5) / math.log(settings.ema_decay)
        return RunConfig(
            preset=name,
            room="stylegan",
            data=DataConfig(
                resolution=resolution,
                channels=request.channels,
                c_dim=request.c_dim,
                cond=request.c_dim > 0,
                mirror=settings.mirror,
            ),
            generator=GeneratorConfig(**shared, **options, **settings.generator),
            discriminator=DiscriminatorConfig(**shared, mbstd_group=settings.mbstd_group),
            objective=settings.objective,
            optimizer=OptimizerConfig(g_lr=settings.lr, d_lr=settings.lr),
            schedule=schedule,
            ema=EmaConfig(kimg=ema_kimg, rampup=0.05 if total_kimg < published_kimg else settings.ema_rampup),
            total_kimg=total_kimg,
            batch=batch,
            callbacks=settings.callbacks,
        )

    return build


WGAN_GP = ObjectiveConfig(loss="wgan", r1_gamma=0, gp_weight=10, drift=0.001)

# StyleGAN paper, Table 1: row, difference from the row above (row A is ProGAN), FID on CelebA-HQ and FFHQ 1024 [3P].
CONFIG_F = _Settings()  # F: + mixing regularization; 5.17, 4.40
CONFIG_E = replace(CONFIG_F, objective=ObjectiveConfig(style_mixing_prob=0))  # E: + noise inputs; 5.06, 4.42
CONFIG_D = replace(CONFIG_E, generator={"use_noise": False})  # D: - traditional input; 5.07, 4.88
CONFIG_C = replace(
    CONFIG_D, generator={**CONFIG_D.generator, "const_input": False}
)  # C: + mapping and styles; 5.34, 4.85
CONFIG_B = replace(  # B: + tuning, bilinear up and down; 6.11, 5.25
    CONFIG_C,
    generator={
        **CONFIG_C.generator,
        "use_styles": False,
        "mapping_layers": 0,
        "pixel_norm": True,
        "instance_norm": False,
    },
)
CELEBAHQ = replace(CONFIG_F, objective=replace(WGAN_GP, style_mixing_prob=0.9), lr_by_resolution=LR_WGAN)
LSUN = replace(CONFIG_F, mirror=False)
# StyleGAN2 paper, Table 1, row A: the batch of any number of processes.
STYLEGAN2_A = replace(CONFIG_F, batches={1: (256, 256, 128, 64, 32)}, mirror=False)
# The scripts that many readers of the papers start from: to 64 pixels by WGAN-GP, one learning rate, no mixing.
TUTORIAL = _Settings(
    objective=replace(WGAN_GP, style_mixing_prob=0),
    lr_by_resolution={},
    total_kimg=None,
    last_kimg=600,
    ema_decay=0.999,
    mbstd_group=None,
    mirror=False,
)
# Noise maps are off: in runs this short G imitates detail with noise. Compared by grids at 32 pixels after 5 kimg:
# with noise, gamma 10 and learning rate 0.002 (3 kimg); without, gamma 3, 0.002 and 0.004.
TINY = _Settings(
    objective=ObjectiveConfig(r1_gamma=3, style_mixing_prob=0.5),
    batches={1: (16,)},
    lr=0.004,
    lr_by_resolution={},
    total_kimg=None,
    last_kimg=16,
    phase_kimg=4,
    ema_kimg=5,
    ema_rampup=0.05,
    channel_base=2048,
    channel_max=64,
    latent=128,
    generator={"mapping_layers": 4, "use_noise": False},
    mirror=False,
    callbacks=CallbacksConfig(tick_kimg=1, snap=5),
)


def _row(name: str, summary: str, source: str, native: int, settings: _Settings, published: str = "") -> Preset:
    return Preset(
        name=name,
        summary=summary,
        source=source,
        native_resolution=(native, native),
        build=_build(name, settings, native),
        published=published,
    )


def _config(row: str, summary: str, settings: _Settings) -> Preset:
    """A row of Table 1."""
    scores = next(scores for name, scores in CONFIG_SCORES.items() if name.startswith(row))
    return _row(
        f"stylegan-config-{row.lower()}",
        summary,
        f"StyleGAN paper, Table 1, row {row}",
        1024,
        settings,
        f"FFHQ 1024: FID {scores['FID, FFHQ']:.2f}, CelebA-HQ 1024 by WGAN-GP: FID {scores['FID, CelebA-HQ']:.2f} "
        "(Table 1 [3P])",
    )


def _mixing(percentage: int) -> Preset:
    """A row of Table 2 that is none of Table 1."""
    one, two, *_ = MIXING_SCORES[percentage]
    return _row(
        mixing_preset(percentage),
        f"config F with mixing in {percentage} % of the batches",
        f"StyleGAN paper, Table 2, {percentage} %",
        1024,
        replace(CONFIG_F, objective=ObjectiveConfig(style_mixing_prob=percentage / 100)),
        f"FFHQ 1024: FID {one:.2f}, of two latents mixed {two:.2f} (Table 2 [M])",
    )


_ROWS = [
    _row(
        "stylegan-ffhq-1024",
        "faces at 1024 pixels",
        "StyleGAN paper, Section 2.1 and Appendix C; official settings for FFHQ",
        1024,
        CONFIG_F,
        "FFHQ 1024: FID 4.42, PPL in W 233.3 (full), 197.2 (end) (official page)",
    ),
    _row(
        "stylegan-celebahq-1024",
        "faces at 1024 pixels, by WGAN-GP",
        "StyleGAN paper, Section 2.1; official settings for CelebA-HQ",
        1024,
        CELEBAHQ,
        "CelebA-HQ 1024: FID 5.17 (Table 1, row F [3P])",
    ),
    _row(
        "stylegan-lsun-256",
        "scenes at 256 pixels, never mirrored",
        "StyleGAN paper, Appendix C; official settings for LSUN Bedroom",
        256,
        LSUN,
        "LSUN Bedroom 256: FID 2.65 [3P]",
    ),
    _config("B", "tuned Progressive GAN, bilinear up and down", CONFIG_B),
    _config("C", "config B with mapping network and styles", CONFIG_C),
    _config("D", "config C from a constant instead of a traditional input", CONFIG_D),
    _config("E", "config D with noise inputs", CONFIG_E),
    _config("F", "config E with mixing regularization", CONFIG_F),
    _mixing(50),
    _mixing(100),
    _row(
        "stylegan2-config-a",
        "StyleGAN as the baseline of StyleGAN2",
        "StyleGAN2 paper, Table 1, row A",
        1024,
        STYLEGAN2_A,
        "FFHQ 1024: FID 4.40, PPL 212.1 (StyleGAN2 paper, Table 1 [M])",
    ),
    _row(
        "stylegan-tutorial-64",
        "what popular training scripts do",
        "the progressive StyleGAN of popular tutorials",
        64,
        TUTORIAL,
    ),
    _row("stylegan-tiny", "growing faces on a CPU in minutes", "this project", 64, TINY),
]

PRESETS = {preset.name: preset for preset in _ROWS}
