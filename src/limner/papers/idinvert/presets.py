"""The published configuration of IDInvert's encoder, and two that train on a CPU in minutes.

Sources: IDInvert paper, Section 4.1 (weights); official training script at 256 pixels (lengths, rates, batch, widths).
The official counter of steps advances twice an iteration, for E and for D, so the learning rate falls by 0.8 every
eighth of the run, not every fourth as written: the presets say what happens. The paper's 5e-5 for mean squared VGG
features of 10^3 to 10^5 is 1 to 100 times a pixel loss of 0.05; `perceptual_weight` 5 lies in between.

Rules: a preset takes size, channels, labels and latents from the generator it is given. A run of another length lets
the learning rate fall in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from limner.config import (
    AugmentConfig,
    CallbacksConfig,
    DataConfig,
    OptimizerConfig,
    Resolution,
    RunConfig,
    ScheduleConfig,
    SourceConfig,
    base_grid,
)
from limner.papers.base import Preset, PresetRequest
from limner.papers.idinvert.encoder import EncoderConfig, Norm
from limner.papers.idinvert.objective import ObjectiveConfig

CALLBACKS = ("progress", "log", "tensorboard", "reconstructions", "snapshots", "curve", "report")
DECAYS = 8
"""Times that the learning rate falls by `lr_decay` in a run."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    total_kimg: float
    batch: int
    lr: float
    channels: int
    channel_max: int
    head_channels: int | None = None
    norm: Norm
    code_norm: bool
    from_average: bool
    objective: ObjectiveConfig
    mirror: bool = False
    callbacks: CallbacksConfig = field(default_factory=lambda: CallbacksConfig(names=CALLBACKS))


def _build(name: str, settings: _Settings, native: Resolution) -> Callable[[PresetRequest], RunConfig]:
    def build(request: PresetRequest) -> RunConfig:
        generator = request.generator
        resolution = request.resolution or (native if generator is None else generator.generator.img_resolution)
        total_kimg = settings.total_kimg if request.total_kimg is None else request.total_kimg
        return RunConfig(
            preset=name,
            room="idinvert",
            data=DataConfig(
                resolution=resolution,
                channels=request.channels,
                c_dim=request.c_dim,
                cond=request.c_dim > 0,
                mirror=settings.mirror,
            ),
            generator=None if generator is None else generator.generator,
            discriminator=None if generator is None else generator.discriminator,
            generator_from=SourceConfig() if generator is None else generator.source,
            encoder=_encoder(settings, resolution, request),
            objective=settings.objective,
            optimizer=OptimizerConfig(g_lr=settings.lr, d_lr=settings.lr, beta1=0.9, beta2=0.99),
            schedule=ScheduleConfig(lr_decay=0.8, lr_decay_kimg=total_kimg / DECAYS),
            augment=AugmentConfig(),
            total_kimg=total_kimg,
            batch=request.batch or settings.batch,
            callbacks=settings.callbacks,
        )

    return build


def _encoder(settings: _Settings, resolution: Resolution, request: PresetRequest) -> EncoderConfig:
    """The encoder of a generator; of a style-based one with latents of 512 before one is named."""
    generator = request.generator
    return EncoderConfig(
        img_resolution=resolution,
        img_channels=request.channels,
        z_dim=512 if generator is None else generator.z_dim,
        w_dim=512 if generator is None else generator.w_dim,
        num_ws=2 * base_grid(resolution)[2] + 2 if generator is None else generator.num_ws,
        channels=settings.channels,
        channel_max=settings.channel_max,
        head_channels=settings.head_channels,
        norm=settings.norm,
        code_norm=settings.code_norm,
        from_average=settings.from_average,
    )


FFHQ_256 = _Settings(
    total_kimg=14000,
    batch=128,
    lr=1e-4,
    channels=64,
    channel_max=512,
    norm="batch",
    code_norm=True,
    from_average=False,
    mirror=True,
    objective=ObjectiveConfig(perceptual="lpips", perceptual_weight=5, adversarial_weight=0.1, r1_gamma=10),
)
TINY = _Settings(
    total_kimg=10,
    batch=8,
    lr=1e-3,
    channels=32,
    channel_max=128,
    head_channels=32,
    norm="group",
    code_norm=False,
    from_average=True,
    objective=ObjectiveConfig(perceptual="stlpips", perceptual_weight=5, adversarial_weight=0.05, r1_gamma=10),
    callbacks=CallbacksConfig(names=CALLBACKS, tick_kimg=0.5, snap=4),
)
CODES = ObjectiveConfig(learn_from="codes", perceptual="none")


def _preset(name: str, summary: str, source: str, side: int, settings: _Settings) -> Preset:
    native = (side, side)
    return Preset(
        name=name,
        summary=summary,
        source=source,
        native_resolution=native,
        build=_build(name, settings, native),
    )


_ROWS = [
    _preset(
        "idinvert-ffhq-256",
        "domain-guided encoder for a generator of 256 pixels",
        "IDInvert paper, Section 4.1, and its official script",
        256,
        FFHQ_256,
    ),
    _preset("idinvert-tiny", "domain-guided encoder on a CPU in minutes", "this project", 64, TINY),
    _preset(
        "conventional-encoder-tiny",
        "the same encoder, learning codes of made pictures",
        "IDInvert paper, Equation 1; sizes of this project",
        64,
        replace(TINY, objective=CODES),
    ),
]

PRESETS = {preset.name: preset for preset in _ROWS}
