"""The configuration of a run: frozen, composed of small parts.

The parts that belong to a paper (generator, discriminator, objective) are dataclasses of that paper's room. Durations
are in kimg (thousands of real images shown to D), resolutions in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from limner.config.grid import Resolution
from limner.config.limits import check_limits
from limner.errors import ConfigError

OPTIONAL = {"optional": True}
"""Metadata of a field that plain values leave out where it is None."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which pictures are shown, and how."""

    path: str = ""
    """Folder or zip of pictures, or `samples` for the pictures embedded in the package."""
    resolution: Resolution = (64, 64)
    """Height and width of the training pictures, pixels."""
    channels: int = 3
    """Channels of the pictures: 1, 2, 3 or 4."""
    mirror: bool = False
    """Show each picture also flipped left to right (the data set is doubled; ADA paper, Section 3)."""
    cond: bool = False
    """Condition on the labels of the data set."""
    c_dim: int = 0
    """Length of a label vector; 0 when unconditional. Filled in from the data set."""
    subset: int | None = None
    """Use only this many pictures, chosen by the seed; None: all."""
    workers: int = 2
    """Decoding threads. Never changes what is shown."""
    cache_mb: int = 2048
    """Decoded pictures are kept in memory up to this size, MB."""
    held_out: float | None = field(default=None, metadata=OPTIONAL)
    """Share of the pictures, chosen by the seed, that a classifier is judged on and not shown; None: none."""

    def __post_init__(self) -> None:
        limits = {"resolution": ">= 1", "channels": ">= 1, <= 4", "c_dim": ">= 0", "subset": ">= 1"}
        check_limits(self, "data", **limits, workers=">= 1", cache_mb=">= 0", held_out="> 0, < 1")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam for both networks."""

    g_lr: float = 0.002
    """Learning rate of G (StyleGAN2 paper, Appendix B: 0.002), or of the encoder or classifier that is trained."""
    d_lr: float = 0.002
    """Learning rate of D."""
    beta1: float = 0.0
    """Adam beta 1 (ProGAN paper, Appendix A.1)."""
    beta2: float = 0.99
    """Adam beta 2."""
    eps: float = 1e-8
    """Adam epsilon."""
    freeze_d: int = 0
    """First layers of D, counted from the picture, that keep the weights they start with (Freeze-D); for transfer."""

    def __post_init__(self) -> None:
        rates = dict.fromkeys(("g_lr", "d_lr", "freeze_d"), ">= 0")
        check_limits(self, "optimizer", **rates, beta1=">= 0, < 1", beta2=">= 0, < 1", eps="> 0")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """What changes with the number of images shown.

    Resolutions are named by the side of a square picture with as many doublings of a 4 x 4 grid: 4, 8, 16, ...
    """

    lr_rampup_kimg: float = 0.0
    """Learning rates rise from 0 over this many kimg; 0: off."""
    grow: bool = False
    """Grow progressively (ProGAN paper, Section 2); False: full resolution from the start."""
    initial_resolution: int = 4
    """Resolution that growing starts from."""
    stable_kimg: float = 600.0
    """Length of training at a resolution before the next one fades in, kimg (official ProGAN training: 600)."""
    fade_kimg: float = 600.0
    """Length of the fade to the next resolution, kimg; 0: none (official ProGAN training: 600)."""
    batch_by_resolution: dict[int, int] = field(default_factory=dict)
    """Total batch by the resolution being trained; empty: `batch` at all."""
    lr_by_resolution: dict[int, float] = field(default_factory=dict)
    """Learning rate of both networks by the resolution being trained; those of `optimizer` at others."""
    reset_optimizers: bool = True
    """Forget Adam's moments when a fade begins and when it ends (official ProGAN training)."""
    lr_decay: float = 1.0
    """Learning rates fall smoothly, by this factor every `lr_decay_kimg`; 1: they stay."""
    lr_decay_kimg: float = 1000.0
    """Images over which learning rates fall by `lr_decay`, kimg."""

    def __post_init__(self) -> None:
        durations = dict.fromkeys(("lr_rampup_kimg", "stable_kimg", "fade_kimg"), ">= 0")
        durations |= {"lr_decay": "> 0, <= 1", "lr_decay_kimg": "> 0"}
        tables = {"batch_by_resolution": ">= 1", "lr_by_resolution": ">= 0"}
        check_limits(self, "schedule", **durations, **tables, initial_resolution=">= 4")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Augmentation of what D sees."""

    mode: Literal["none", "ada", "fixed", "diffaugment"] = "none"
    """`ada`: adaptive p; `fixed`: constant p; `diffaugment`: the DiffAugment policy."""
    pipe: str = "bgc"
    """ADA transform groups: letters of b(lit) g(eometry) c(olor) f(ilter) n(oise) c(utout), as in the ADA paper."""
    policy: str = "color,translation,cutout"
    """DiffAugment policy, comma separated."""
    p: float = 0.0
    """Probability: the constant for `fixed`, the start for `ada`."""
    target: float = 0.6
    """ADA target of E[sign(D(real))] (ADA paper, Section 3.1)."""
    interval: int = 4
    """Iterations between adjustments of p."""
    speed_kimg: float = 500.0
    """p can move by 1 in this many kimg (100 for transfer learning)."""

    def __post_init__(self) -> None:
        check_limits(self, "augment", p=">= 0, <= 1", target=">= -1, <= 1", interval=">= 1", speed_kimg="> 0")


@dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """Moving average of the generator's weights."""

    kimg: float = 10.0
    """Half-life, kimg."""
    rampup: float | None = None
    """Half-life is at most this fraction of the images shown so far; None: no ramp-up."""

    def __post_init__(self) -> None:
        check_limits(self, "ema", kimg=">= 0", rampup="> 0")


@dataclass(frozen=True, kw_only=True)
class CallbacksConfig:
    """What is written during a run, and how often."""

    names: tuple[str, ...] = ("progress", "log", "tensorboard", "evaluate", "samples", "snapshots", "curve", "report")
    """Callbacks in the order they are called; a name is a file of `limner/training/callbacks`."""
    tick_kimg: float = 4.0
    """Length of a tick, kimg: one line in the log."""
    snap: int = 50
    """Ticks between snapshots."""
    keep: int = 3
    """Snapshots kept, newest first; the best by metric is kept besides."""
    metrics: tuple[str, ...] = ()
    """Metrics computed at every snapshot; the first decides which snapshot is the best."""

    def __post_init__(self) -> None:
        check_limits(self, "callbacks", tick_kimg="> 0", snap=">= 1", keep=">= 1")


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """The finished generator that a run trains an encoder for. Filled in from the snapshot."""

    path: str = ""
    """Snapshot that holds it."""
    room: str = ""
    """Paper whose networks it and its discriminator are."""
    fingerprint: str = ""
    """Which generator it is (see `checkpoints.io.fingerprint`)."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run's result."""

    preset: str
    """Name of the preset this configuration started from."""
    room: str
    """Paper whose networks and objective are used: a folder of `limner/papers`."""
    data: DataConfig = field(default_factory=DataConfig)
    """Pictures."""
    generator: Any
    """`GeneratorConfig` of the room, or of the room named by `generator_from`; None before a generator is named, and
    where a classifier is trained."""
    discriminator: Any
    """`DiscriminatorConfig`, likewise."""
    objective: Any
    """`ObjectiveConfig` of the room."""
    encoder: Any = field(default=None, metadata=OPTIONAL)
    """`EncoderConfig` of a room that trains an encoder; None in others."""
    generator_from: SourceConfig | None = field(default=None, metadata=OPTIONAL)
    """Where the generator comes from that an encoder is trained for; None: it is trained."""
    classifier: Any = field(default=None, metadata=OPTIONAL)
    """`ClassifierConfig` of a room that trains a classifier; None in others."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """Adam settings."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """What changes with nimg."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation."""
    ema: EmaConfig = field(default_factory=EmaConfig)
    """Weight averaging."""
    total_kimg: float = 25000.0
    """Length of the run, kimg."""
    batch: int = 32
    """Total batch over all processes."""
    batch_gpu: int | None = None
    """Largest batch a process holds at once; more is accumulated. None: the process's whole share."""
    seed: int = 0
    """Seed of initial weights, latents, augmentation and data order."""
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)
    """What is written."""

    def __post_init__(self) -> None:
        check_limits(self, "", total_kimg=">= 0", batch=">= 1", batch_gpu=">= 1", seed=f">= 0, < {2**32}")
        shared = (("img_resolution", "resolution"), ("img_channels", "channels"), ("c_dim", "c_dim"))
        for part in ("generator", "discriminator", "encoder", "classifier"):
            for name, source in shared:
                expected = getattr(self.data, source)
                got = getattr(getattr(self, part), name, expected)
                if got != expected:
                    got, expected = (list(v) if isinstance(v, tuple) else v for v in (got, expected))
                    raise ConfigError(
                        f"{part}.{name}: got {got}, expected {expected}, the value of data.{source}; "
                        "set both to the same"
                    )

    @property
    def generator_room(self) -> str:
        """Paper whose networks `generator` and `discriminator` are; empty before a generator is named."""
        return self.room if self.generator_from is None else self.generator_from.room
