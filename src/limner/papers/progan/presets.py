"""The published configurations of ProGAN, its ablation table, and one that trains on a CPU in minutes.

Sources: ProGAN paper, Table 1 and Appendix A; the official settings of the networks released with the paper (`paper`,
one process) and of the later, faster ones (`v2`, for 1, 2, 4 and 8 processes).

Rules: a preset published at one resolution keeps the width of its finest layer, so `channel_base` is scaled by
resolution / native resolution. A batch of one's own holds at every resolution. A run of another length grows in
proportion; one shorter than published averages weights over a twentieth of what it has seen at most, or the average
would still hold initial weights.

Deviations:
- The average of weights decayed by 0.999 a step in the published runs; here it has the half-life this is at the final
  batch, so it forgets faster than published while batches are larger.
- Row h: what the paper calls longer training is the length of its LSUN runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

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
from limner.papers.progan.discriminator import DiscriminatorConfig
from limner.papers.progan.generator import GeneratorConfig
from limner.papers.progan.ladders import ROWS, letter, preset_name
from limner.papers.progan.objective import ObjectiveConfig

ByProcesses = Mapping[int, Mapping[int, Any]]
"""Processes -> resolution -> value."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """One row of a table of official settings."""

    native: int
    total_kimg: float
    batches: ByProcesses
    lrs: ByProcesses = field(default_factory=lambda: {1: {}})
    lr: float = 0.001
    lr_rampup_kimg: float = 0.0
    beta2: float = 0.99
    ema_images: int | None = None
    """Images in which the average decays by 0.999; None: the final batch."""
    ema_rampup: float | None = None
    grow: bool = True
    initial_resolution: int = 4
    stable_kimg: float = 600.0
    fade_kimg: float = 600.0
    channel_base: int = 16384
    channel_max: int = 512
    latent: int = 512
    normalization: Literal["pixel", "batch", "none"] = "pixel"
    d_normalization: Literal["layer", "none"] = "none"
    activation: Literal["lrelu", "relu"] = "lrelu"
    tanh: bool = False
    normalize_latents: bool = True
    equalized: bool = True
    fused_scale: bool = True
    mbstd_group: int = 4
    mbstd_features: int = 1
    mbdisc_kernels: int = 0
    d_repeats: int = 1
    drift: float = 0.001
    gp_target: float = 1.0
    mirror: bool = True
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)


def _build(name: str, settings: _Settings) -> Callable[[PresetRequest], RunConfig]:
    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (settings.native, settings.native)
        shared: dict[str, Any] = {
            "img_resolution": resolution,
            "img_channels": request.channels,
            "c_dim": request.c_dim,
            "channel_base": settings.channel_base * nominal_side(resolution) // settings.native,
            "channel_max": settings.channel_max,
            "equalized": settings.equalized,
        }
        schedule, batch = _schedule(settings, request, nominal_side(resolution))
        is_short = request.total_kimg is not None and request.total_kimg < settings.total_kimg
        return RunConfig(
            preset=name,
            room="progan",
            data=DataConfig(
                resolution=resolution,
                channels=request.channels,
                c_dim=request.c_dim,
                cond=request.c_dim > 0,
                mirror=settings.mirror,
            ),
            generator=GeneratorConfig(
                **shared,
                z_dim=settings.latent,
                normalization=settings.normalization,
                activation=settings.activation,
                tanh=settings.tanh,
                normalize_latents=settings.normalize_latents,
            ),
            discriminator=DiscriminatorConfig(
                **shared,
                normalization=settings.d_normalization,
                mbstd_group=settings.mbstd_group,
                mbstd_features=settings.mbstd_features,
                mbdisc_kernels=settings.mbdisc_kernels,
                fused_scale=settings.fused_scale,
            ),
            objective=ObjectiveConfig(d_repeats=settings.d_repeats, drift=settings.drift, gp_target=settings.gp_target),
            optimizer=OptimizerConfig(g_lr=settings.lr, d_lr=settings.lr, beta2=settings.beta2),
            schedule=schedule,
            ema=EmaConfig(
                kimg=_half_life_kimg(settings.ema_images or batch),
                rampup=0.05 if is_short and settings.ema_rampup is None else settings.ema_rampup,
            ),
            total_kimg=settings.total_kimg if request.total_kimg is None else request.total_kimg,
            batch=batch,
            callbacks=settings.callbacks,
        )

    return build


def _schedule(settings: _Settings, request: PresetRequest, side: int) -> tuple[ScheduleConfig, int]:
    """The schedule up to resolution `side` (nominal), and the batch there."""
    initial = min(settings.initial_resolution, side)
    sides = [initial << steps for steps in range((side // initial).bit_length())]
    published = _row_for(settings.batches, request.num_processes)
    table = {at: published.get(at, published[max(published)]) for at in sides}
    batch = request.batch or table[side]
    lrs = _row_for(settings.lrs, request.num_processes)
    stretch = 1.0 if request.total_kimg is None else request.total_kimg / settings.total_kimg
    is_constant = request.batch is not None or len(set(table.values())) == 1
    schedule = ScheduleConfig(
        grow=settings.grow,
        initial_resolution=initial,
        stable_kimg=settings.stable_kimg * stretch,
        fade_kimg=settings.fade_kimg * stretch,
        lr_rampup_kimg=settings.lr_rampup_kimg * stretch,
        batch_by_resolution={} if is_constant else table,
        lr_by_resolution={at: lr for at, lr in lrs.items() if at in sides},
    )
    return schedule, batch


def _row_for(table: ByProcesses, num_processes: int) -> Mapping[int, Any]:
    """The row of the largest published number of processes that is not above `num_processes`."""
    return table[max(count for count in table if count <= num_processes)]


def _half_life_kimg(images: int) -> float:
    """Half-life of an average that decays by 0.999 in so many images."""
    return images * math.log(0.5) / math.log(0.999) / 1000


# Official settings, one row a number of processes; resolutions above the table take its last value.
V2_BATCHES: ByProcesses = {
    1: {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4, 1024: 4},
    2: {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 8, 1024: 8},
    4: {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 16, 512: 16, 1024: 16},
    8: {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 32, 256: 32, 512: 32, 1024: 32},
}
V2_LRS: ByProcesses = {
    1: {1024: 0.0015},
    2: {512: 0.0015, 1024: 0.002},
    4: {256: 0.0015, 512: 0.002, 1024: 0.003},
    8: {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
}
PAPER_BATCHES: ByProcesses = {1: {4: 16, 8: 16, 16: 16, 32: 16, 64: 16, 128: 16, 256: 14, 512: 6, 1024: 3}}

CELEBAHQ_V2 = _Settings(native=1024, total_kimg=12000, batches=V2_BATCHES, lrs=V2_LRS)
CELEBAHQ = _Settings(
    native=1024,
    total_kimg=19000,
    batches=PAPER_BATCHES,
    lr_rampup_kimg=40,
    stable_kimg=800,
    fade_kimg=800,
    mbstd_group=16,
    fused_scale=False,
)
LSUN = replace(CELEBAHQ, native=256, total_kimg=20000)
CIFAR = _Settings(
    native=32,
    total_kimg=20000,
    batches={1: {32: 16}},
    stable_kimg=400,
    fade_kimg=400,
    channel_base=8192,
    channel_max=128,
    latent=128,
    mbstd_group=16,
    gp_target=750,
    fused_scale=False,
    mirror=False,
)

# Table 1, at 128 pixels with narrow networks. The average of weights has one half-life in all rows: its decay is
# 0.999^20 a step of G, every 5 x 64 images, in rows a and b, 0.999^5 every 5 x 16 in row c, 0.999 every 16 from d on.
ROW_A = _Settings(
    native=128,
    total_kimg=10000,
    batches={1: {128: 64}},
    lr=0.0001,
    beta2=0.9,
    ema_images=16,
    grow=False,
    stable_kimg=800,
    fade_kimg=800,
    channel_base=4096,
    latent=128,
    normalization="batch",
    d_normalization="layer",
    activation="relu",
    tanh=True,
    normalize_latents=False,
    equalized=False,
    fused_scale=False,
    mbstd_group=16,
    mbstd_features=0,
    d_repeats=5,
    drift=0,
)
ROW_B = replace(ROW_A, grow=True)  # + progressive growing
ROW_C = replace(ROW_B, batches={1: {128: 16}})  # + small minibatch
ROW_D = replace(  # + revised training parameters
    ROW_C,
    beta2=0.99,
    normalization="none",
    d_normalization="none",
    activation="lrelu",
    tanh=False,
    normalize_latents=True,
    d_repeats=1,
    drift=0.001,
)
ROW_E_STAR = replace(ROW_D, mbdisc_kernels=100)  # + minibatch discrimination
ROW_E = replace(ROW_D, mbstd_features=1)  # + minibatch standard deviation, instead
ROW_F = replace(ROW_E, equalized=True, lr=0.001)  # + equalized learning rate
ROW_G = replace(ROW_F, normalization="pixel")  # + pixelwise normalization
ROW_H = replace(ROW_G, channel_base=16384, latent=512, total_kimg=20000)  # converged: full-size networks, longer

TINY = _Settings(
    native=32,
    total_kimg=32,
    batches={1: {32: 16}},
    lr=0.002,
    ema_images=8,
    ema_rampup=0.05,
    initial_resolution=8,
    stable_kimg=3,
    fade_kimg=3,
    channel_base=1024,
    channel_max=64,
    latent=128,
    callbacks=CallbacksConfig(tick_kimg=1, snap=5),
)


def _preset(name: str, summary: str, source: str, settings: _Settings, published: str = "") -> Preset:
    return Preset(
        name=name,
        summary=summary,
        source=source,
        native_resolution=(settings.native, settings.native),
        build=_build(name, settings),
        published=published,
    )


_PUBLISHED_RUNS = [
    _preset(
        "progan-celebahq-1024",
        "the official runs for 1, 2, 4 and 8 processes",
        "ProGAN, official `v2` settings",
        CELEBAHQ_V2,
    ),
    _preset(
        "progan-paper-celebahq-1024",
        "the run of the paper",
        "ProGAN paper, Appendix A.1; official `v1` settings",
        CELEBAHQ,
        "CelebA-HQ 1024: FID 7.30 (as listed by third parties)",
    ),
    _preset(
        "progan-lsun-256",
        "the paper's runs on categories of LSUN",
        "ProGAN paper, appendix on LSUN; official settings",
        LSUN,
        "LSUN bedroom 256: FID 8.34 (as listed by third parties)",
    ),
    _preset(
        "progan-cifar10-32",
        "small pictures, gradient norm aimed at 750",
        "ProGAN paper, appendix on CIFAR-10; official settings",
        CIFAR,
        "CIFAR-10: inception score 8.80 (as listed by third parties)",
    ),
]
_BASELINE = _preset(
    "stylegan-config-a",
    "baseline Progressive GAN",
    "StyleGAN paper, Table 1, row A",
    CELEBAHQ_V2,
    "CelebA-HQ 1024: FID 7.79; FFHQ 1024: FID 8.04 (Table 1, as third parties quote it)",
)
_TABLE_1 = zip(ROWS, (ROW_A, ROW_B, ROW_C, ROW_D, ROW_E_STAR, ROW_E, ROW_F, ROW_G, ROW_H), strict=True)
_RUNGS = [
    _preset(
        preset_name(row),
        row,
        f"ProGAN paper, Table 1, row {letter(row)}",
        settings,
        f"CelebA 128: average SWD {ROWS[row][0]}e-3, MS-SSIM {ROWS[row][1]} (Table 1, from memory)",
    )
    for row, settings in _TABLE_1
]
_TINY = _preset("progan-tiny", "growing faces on a CPU in minutes", "this project", TINY)

PRESETS = {preset.name: preset for preset in [*_PUBLISHED_RUNS, _BASELINE, *_RUNGS, _TINY]}
