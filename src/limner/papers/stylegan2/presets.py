"""The published configurations of StyleGAN2 and StyleGAN2-ADA, and one that trains on a CPU in minutes.

Sources: StyleGAN2 paper, Table 1 (rungs E, F) and Appendix B; the official settings of E and F, and
of StyleGAN2-ADA (the `auto` formula, `paper256`, `paper512`, `paper1024`, `cifar`).

Rule for other resolutions: a preset published at one resolution keeps the width of its finest layer, so `channel_base`
is scaled by resolution / native resolution; `generator.channel_base` says what came out. `stylegan2-ada-auto` is a
formula of the resolution already.
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
    base_grid,
)
from limner.papers.base import Preset, PresetRequest
from limner.papers.stylegan2.discriminator import DiscriminatorConfig
from limner.papers.stylegan2.generator import Architecture, GeneratorConfig
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
    ema_kimg: float
    ema_rampup: float | None = None
    mapping_layers: int = 8
    channel_max: int = 512
    latent: int = 512
    pl_weight: float = 2.0
    style_mixing_prob: float = 0.9
    use_noise: bool = True
    d_architecture: Architecture = "resnet"
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    mirror: bool = False
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)


def _build(name: str, settings: _Settings, resolution: Resolution, request: PresetRequest) -> RunConfig:
    shared: dict[str, Any] = {"img_resolution": resolution, "img_channels": request.channels, "c_dim": request.c_dim}
    width: dict[str, Any] = {"channel_base": settings.channel_base, "channel_max": settings.channel_max}
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
            **width,
            z_dim=settings.latent,
            w_dim=settings.latent,
            mapping_layers=settings.mapping_layers,
            use_noise=settings.use_noise,
        ),
        discriminator=DiscriminatorConfig(
            **shared, **width, mbstd_group=settings.mbstd_group, architecture=settings.d_architecture
        ),
        objective=ObjectiveConfig(
            r1_gamma=settings.r1_gamma,
            pl_weight=settings.pl_weight,
            style_mixing_prob=settings.style_mixing_prob,
        ),
        optimizer=OptimizerConfig(g_lr=settings.lr, d_lr=settings.lr),
        augment=settings.augment,
        ema=EmaConfig(kimg=settings.ema_kimg, rampup=settings.ema_rampup),
        total_kimg=settings.total_kimg,
        batch=settings.batch,
        callbacks=settings.callbacks,
    )


def _published(name: str, settings: _Settings, native: int) -> Callable[[PresetRequest], RunConfig]:
    """A preset with fixed settings: narrower at lower resolutions, the batch changed only on request."""

    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (native, native)
        channel_base = settings.channel_base * _nominal(resolution) // native
        scaled = replace(settings, channel_base=channel_base, batch=request.batch or settings.batch)
        return _build(name, scaled, resolution, request)

    return build


def _auto(name: str, augment: AugmentConfig) -> Callable[[PresetRequest], RunConfig]:
    """The `auto` formula of StyleGAN2-ADA: settings from resolution, batch and number of processes."""

    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or (256, 256)
        side, gpus = _nominal(resolution), request.num_processes
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


def _nominal(resolution: Resolution) -> int:
    """The side a square picture with as many doublings of a 4 x 4 grid has."""
    return 4 * 2 ** base_grid(resolution)[2]


ADA = AugmentConfig(mode="ada")

CONFIG_E = _Settings(total_kimg=25000, batch=32, mbstd_group=4, channel_base=16384, lr=0.002, r1_gamma=100, ema_kimg=10)
CONFIG_F = replace(CONFIG_E, channel_base=32768, r1_gamma=10)  # + large networks
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


_ROWS = [
    _row(
        "stylegan2-config-e",
        "no growing, skip G, residual D",
        "StyleGAN2 paper, Table 1, row E",
        1024,
        CONFIG_E,
        "FFHQ 1024: FID 3.31, PPL 124.5 (Table 1)",
    ),
    _row(
        "stylegan2-config-f",
        "config E with large networks",
        "StyleGAN2 paper, Table 1, row F",
        1024,
        CONFIG_F,
        "FFHQ 1024: FID 2.84, PPL 145.0 (Table 1)",
    ),
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
