"""Classifiers of attributes: the published one at 256 pixels, and one that trains on a CPU in minutes.

Sources: StyleGAN paper, Section 4.2, and its official classifiers (256 pixels; learning rate 0.001, batch 8, 150,000
pictures [M]); Adam as in the ProGAN paper, Appendix A.1. Neither says which pictures it was judged on: a tenth is held
out here.

Rules: attributes are those of the data, or those asked for. A preset keeps the width of its finest layer at other
resolutions. A run of another length lets the learning rate fall in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from limner.config import (
    AugmentConfig,
    CallbacksConfig,
    DataConfig,
    OptimizerConfig,
    Resolution,
    RunConfig,
    ScheduleConfig,
    nominal_side,
)
from limner.papers.base import Preset, PresetRequest
from limner.papers.classifier.network import ClassifierConfig
from limner.papers.classifier.objective import ObjectiveConfig

CALLBACKS = ("progress", "log", "tensorboard", "accuracy", "snapshots", "curve", "report")
HELD_OUT = 0.1
"""Share of the pictures that are judged, not shown."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    total_kimg: float
    batch: int
    lr: float
    channel_base: int
    channel_max: int
    shared: bool
    lr_decay: float = 1.0
    mirror: bool = False
    callbacks: CallbacksConfig = field(default_factory=lambda: CallbacksConfig(names=CALLBACKS))


def _build(name: str, settings: _Settings, native: Resolution) -> Callable[[PresetRequest], RunConfig]:
    def build(request: PresetRequest) -> RunConfig:
        resolution = request.resolution or native
        total_kimg = settings.total_kimg if request.total_kimg is None else request.total_kimg
        return RunConfig(
            preset=name,
            room="classifier",
            data=DataConfig(
                resolution=resolution,
                channels=request.channels,
                c_dim=request.c_dim,
                cond=request.c_dim > 0,
                mirror=settings.mirror,
                held_out=HELD_OUT,
            ),
            generator=None,
            discriminator=None,
            classifier=ClassifierConfig(
                img_resolution=resolution,
                img_channels=request.channels,
                c_dim=request.c_dim,
                attributes=dict(request.attributes),
                shared=settings.shared,
                channel_base=settings.channel_base * nominal_side(resolution) // nominal_side(native),
                channel_max=settings.channel_max,
            ),
            objective=ObjectiveConfig(),
            optimizer=OptimizerConfig(g_lr=settings.lr),
            schedule=ScheduleConfig(lr_decay=settings.lr_decay, lr_decay_kimg=total_kimg),
            augment=AugmentConfig(),
            total_kimg=total_kimg,
            batch=request.batch or settings.batch,
            callbacks=settings.callbacks,
        )

    return build


CELEBAHQ = _Settings(total_kimg=150, batch=8, lr=0.001, channel_base=16384, channel_max=512, shared=False)
TINY = _Settings(
    total_kimg=40,
    batch=16,
    lr=0.004,
    lr_decay=0.05,
    channel_base=512,
    channel_max=64,
    shared=True,
    callbacks=CallbacksConfig(names=CALLBACKS, tick_kimg=1, snap=5),
)


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
        "classifier-celebahq-256",
        "what pictures show, a network for each attribute",
        "StyleGAN paper, Section 4.2; training of the official classifiers [M]",
        256,
        CELEBAHQ,
    ),
    _preset("classifier-tiny", "what pictures show, on a CPU in minutes", "this project", 64, TINY),
]

PRESETS = {preset.name: preset for preset in _ROWS}
