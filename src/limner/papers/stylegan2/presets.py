"""The published configurations of StyleGAN2 and StyleGAN2-ADA, and one that trains on a CPU in minutes.

Sources: StyleGAN2 paper, Table 1 (rungs B to F), Table 2 (the architectures of rung E) and Appendix B; the official
settings of these, and of StyleGAN2-ADA (the `auto` formula, `paper256`, `paper512`, `paper1024`, `cifar`). [M] marks a
score that was not looked up again.

Rule for other resolutions: a preset published at one resolution keeps the width of its finest layer, so `channel_base`
is scaled by resolution / native resolution; `generator.channel_base` says what came out. `stylegan2-ada-auto` is a
formula of the resolution already. A growing rung starts from its 8 pixels at every resolution.

Rules for growing: a run of another length grows in proportion; a batch that is asked for holds at every resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from limner.config import (
    AugmentConfig,
    CallbacksConfig,
    DataConfig,
    EmaConfig,
    OptimizerConfig,
    Resolution,
    RunConfig,
    ScheduleConfig,
    nominal_side,
)
from limner.papers.base import Preset, PresetRequest
from limner.papers.stylegan2.discriminator import DiscriminatorConfig
from limner.papers.stylegan2.generator import Architecture, GeneratorConfig
from limner.papers.stylegan2.ladders import ARCHITECTURE_SCORES
from limner.papers.stylegan2.objective import ObjectiveConfig


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """One row of a table of official settings."""

    total_kimg: float
    batch: int
    mbstd_group: int
    channel_base: int
    lr: float
    r1_gamma: float
    r1_interval: int = 16
    ema_kimg: float
    ema_rampup: float | None = None
    mapping_layers: int = 8
    channel_max: int = 512
    latent: int = 512
    pl_weight: float = 2.0
    style_mixing_prob: float = 0.9
    use_noise: bool = True
    g_architecture: Architecture = "skip"
    d_architecture: Architecture = "resnet"
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    mirror: bool = False
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)


def _build(name: str, settings: _Settings, resolution: Resolution, request: PresetRequest) -> RunConfig:
    shared: dict[str, Any] = {"img_resolution": resolution, "img_channels": request.channels, "c_dim": request.c_dim}
    shared |= {
        "channel_base": settings.channel_base,
        "channel_max": settings.channel_max,
        "growing": settings.schedule.grow,
    }
    is_short = request.total_kimg is not None and request.total_kimg < settings.total_kimg
    return RunConfig(
        preset=name,
        room="stylegan2",
        data=DataConfig(
            resolution=resolution,
            channels=request.channels,
            c_dim=request.c_dim,
            cond=request.c_dim > 0,
            mirror=settings.mirror,
        ),
        generator=GeneratorConfig(
            **shared,
            architecture=settings.g_architecture,
            z_dim=settings.latent,
            w_dim=settings.latent,
            mapping_layers=settings.mapping_layers,
            use_noise=settings.use_noise,
        ),
        discriminator=DiscriminatorConfig(
            **shared, mbstd_group=settings.mbstd_group, architecture=settings.d_architecture
        ),
        objective=ObjectiveConfig(
            r1_gamma=settings.r1_gamma,
            r1_interval=settings.r1_interval,
            pl_weight=settings.pl_weight,
            style_mixing_prob=settings.style_mixing_prob,
        ),
        optimizer=OptimizerConfig(g_lr=settings.lr, d_lr=settings.lr),
        schedule=settings.schedule,
        augment=settings.augment,
        ema=EmaConfig(kimg=settings.ema_kimg, rampup=settings.ema_rampup or (0.05 if is_short else None)),
        total_kimg=settings.total_kimg if request.total_kimg is None else request.total_kimg,
        batch=settings.batch,
        callbacks=settings.callbacks,
    )


def _published(name: str, settings: _Settings, native: int) -> Callable[[PresetRequest], RunConfig]:
    """A preset with fixed settings: narrower at lower resolutions, the batch changed only on request."""

    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (native, native)
        side = nominal_side(resolution)
        schedule = _growth(settings, side, request) if settings.schedule.grow else settings.schedule
        scaled = replace(
            settings,
            channel_base=settings.channel_base * side // native,
            batch=request.batch or schedule.batch_by_resolution.get(side, settings.batch),
            schedule=schedule,
        )
        return _build(name, scaled, resolution, request)

    return build


def _growth(settings: _Settings, side: int, request: PresetRequest) -> ScheduleConfig:
    """Growth that ends at resolution `side`, in the length and with the batch asked for."""
    schedule = settings.schedule
    stretch = 1.0 if request.total_kimg is None else request.total_kimg / settings.total_kimg
    start = min(schedule.initial_resolution, side)
    resolutions = [side >> level for level in range((side // start).bit_length())][::-1]
    published = {at: schedule.batch_by_resolution.get(at, settings.batch) for at in resolutions}
    return replace(
        schedule,
        initial_resolution=start,
        stable_kimg=schedule.stable_kimg * stretch,
        fade_kimg=schedule.fade_kimg * stretch,
        batch_by_resolution={} if request.batch else published,
        lr_by_resolution={at: lr for at, lr in schedule.lr_by_resolution.items() if at in resolutions},
    )


def _auto(name: str, augment: AugmentConfig) -> Callable[[PresetRequest], RunConfig]:
    """The `auto` formula of StyleGAN2-ADA: settings from resolution, batch and number of processes."""

    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (256, 256)
        side, gpus = nominal_side(resolution), request.num_processes
        batch = request.batch or max(min(gpus * min(4096 // side, 32), 64), gpus)
        settings = _Settings(
            total_kimg=25000,
            batch=batch,
            mbstd_group=max(min(batch // gpus, 4), 1),
            channel_base=32768 if side >= 512 else 16384,
            lr=0.002 if side >= 1024 else 0.0025,
            r1_gamma=0.0002 * side**2 / batch,
            ema_kimg=batch * 10 / 32,
            ema_rampup=0.05,
            mapping_layers=2,
            augment=augment,
        )
        return _build(name, settings, resolution, request)

    return build


ADA = AugmentConfig(mode="ada")

# The batch of any number of processes, 32 from 128 pixels on; StyleGAN's learning rates, 0.001 up to 64 pixels.
GROWTH = ScheduleConfig(
    grow=True,
    initial_resolution=8,
    stable_kimg=600,
    fade_kimg=600,
    batch_by_resolution={8: 256, 16: 128, 32: 64, 64: 32},
    lr_by_resolution={128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
)
# StyleGAN2 paper, Table 1: row, difference from the row above (row A is `stylegan-*`), FID and PPL on FFHQ 1024.
CONFIG_B = _Settings(  # B: + weight demodulation; 4.39, 175.4 [M]
    total_kimg=25000,
    batch=32,
    mbstd_group=4,
    channel_base=16384,
    lr=0.001,
    r1_gamma=10,
    r1_interval=1,
    pl_weight=0,
    ema_kimg=10,
    g_architecture="orig",
    d_architecture="orig",
    schedule=GROWTH,
)
CONFIG_C = replace(CONFIG_B, r1_interval=16)  # C: + lazy regularization; 4.38, 158.0 [M]
CONFIG_D = replace(CONFIG_C, pl_weight=2.0)  # D: + path length regularization; 4.34, 122.5 [M]
CONFIG_E = replace(  # E: + no growing, new G and D architectures; 3.31, 124.5 [M]
    CONFIG_D,
    schedule=ScheduleConfig(),
    lr=0.002,
    g_architecture="skip",
    d_architecture="resnet",
    r1_gamma=100,
)
CONFIG_F = replace(CONFIG_E, channel_base=32768, r1_gamma=10)  # F: + large networks; 2.84, 145.0
PAPER256 = _Settings(
    total_kimg=25000,
    batch=64,
    mbstd_group=8,
    channel_base=16384,
    lr=0.0025,
    r1_gamma=1,
    ema_kimg=20,
    augment=ADA,
)
PAPER512 = replace(PAPER256, channel_base=32768, r1_gamma=0.5)
PAPER1024 = replace(PAPER512, batch=32, mbstd_group=4, lr=0.002, r1_gamma=2, ema_kimg=10)
CIFAR = _Settings(
    total_kimg=100000,
    batch=64,
    mbstd_group=32,
    channel_base=32768,
    lr=0.0025,
    r1_gamma=0.01,
    ema_kimg=500,
    ema_rampup=0.05,
    mapping_layers=2,
    pl_weight=0,
    style_mixing_prob=0,
    d_architecture="orig",
    augment=ADA,
)
# Noise maps are off: in runs this short G imitates detail with noise. Learning rate and r1_gamma by comparing grids
# of runs of 5 to 30 kimg at 32 pixels: (0.0025; 2, 10), (0.0035; 30), (0.004; 3).
TINY = _Settings(
    total_kimg=40,
    batch=16,
    mbstd_group=4,
    channel_base=2048,
    channel_max=64,
    latent=128,
    lr=0.004,
    r1_gamma=3,
    ema_kimg=5,
    ema_rampup=0.05,
    mapping_layers=2,
    pl_weight=0,
    use_noise=False,
    callbacks=CallbacksConfig(tick_kimg=1, snap=5),
)


def _row(name: str, summary: str, source: str, native: int, settings: _Settings, published: str = "") -> Preset:
    return Preset(
        name=name,
        summary=summary,
        source=source,
        native_resolution=(native, native),
        build=_published(name, settings, native),
        published=published,
    )


def _architecture(g: Architecture, d: Architecture) -> Preset:
    """A cell of Table 2: rung E with these architectures."""
    fid, ppl, *_ = ARCHITECTURE_SCORES[g, d]
    return _row(
        f"stylegan2-config-e-g{g}-d{d}",
        f"config E with G {g} and D {d}",
        f"StyleGAN2 paper, Table 2, G {g}, D {d}",
        1024,
        replace(CONFIG_E, g_architecture=g, d_architecture=d),
        f"FFHQ 1024: FID {fid}, PPL {ppl} (Table 2 [M])",
    )


_ROWS = [
    _row(
        "stylegan2-config-b",
        "StyleGAN with weight demodulation",
        "StyleGAN2 paper, Table 1, row B",
        1024,
        CONFIG_B,
        "FFHQ 1024: FID 4.39, PPL 175.4 (Table 1 [M])",
    ),
    _row(
        "stylegan2-config-c",
        "config B with lazy regularization",
        "StyleGAN2 paper, Table 1, row C",
        1024,
        CONFIG_C,
        "FFHQ 1024: FID 4.38, PPL 158.0 (Table 1 [M])",
    ),
    _row(
        "stylegan2-config-d",
        "config C with path length regularization",
        "StyleGAN2 paper, Table 1, row D",
        1024,
        CONFIG_D,
        "FFHQ 1024: FID 4.34, PPL 122.5 (Table 1 [M])",
    ),
    _row(
        "stylegan2-config-e",
        "no growing, skip G, residual D",
        "StyleGAN2 paper, Table 1, row E",
        1024,
        CONFIG_E,
        "FFHQ 1024: FID 3.31, PPL 124.5 (Table 1 [M])",
    ),
    _row(
        "stylegan2-config-f",
        "config E with large networks",
        "StyleGAN2 paper, Table 1, row F",
        1024,
        CONFIG_F,
        "FFHQ 1024: FID 2.84, PPL 145.0 (Table 1)",
    ),
    *(_architecture(g, d) for g, d in ARCHITECTURE_SCORES),
    Preset(
        name="stylegan2-ada-auto",
        summary="settings from resolution, batch and processes, with ADA",
        source="StyleGAN2-ADA, official `auto`",
        native_resolution=(256, 256),
        build=_auto("stylegan2-ada-auto", ADA),
    ),
    _row("stylegan2-ada-paper256", "ADA at 256 pixels", "StyleGAN2-ADA paper, Appendix C", 256, PAPER256),
    _row("stylegan2-ada-paper512", "ADA at 512 pixels", "StyleGAN2-ADA paper, Appendix C", 512, PAPER512),
    _row("stylegan2-ada-paper1024", "ADA at 1024 pixels", "StyleGAN2-ADA paper, Appendix C", 1024, PAPER1024),
    _row(
        "stylegan2-ada-cifar",
        "small pictures, many classes",
        "StyleGAN2-ADA paper, Appendix C",
        32,
        CIFAR,
        "CIFAR-10 class-conditional: FID 2.42 (official page)",
    ),
    _row("stylegan2-tiny", "varied faces on a CPU in minutes", "this project", 32, TINY),
]

PRESETS = {preset.name: preset for preset in _ROWS}
