"""What changes during training, as a pure function of the images shown so far.

Source: ProGAN paper, Section 2 and Appendix A (each resolution trains, then the next fades in); durations, batches and
learning rates by resolution as in official ProGAN and StyleGAN training. Deviation: every iteration follows the
schedule, while official training looks at it once in four minibatches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from limner.config import RunConfig, ScheduleConfig, nominal_side
from limner.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The settings of one iteration."""

    lod: float
    """Level of detail (see `ops.growing`); 0 at full resolution."""
    resolution: int
    """Resolution being trained, by its nominal side."""
    batch: int
    """Total batch."""
    g_lr: float
    """Learning rate of G, or of E where that is trained, before the correction for lazy regularization."""
    d_lr: float
    """Learning rate of D, likewise."""


def moment(config: RunConfig, nimg: int) -> Moment:
    """Return the settings after `nimg` images.

    The learning rate rises as exp(-5 (1 - p)^2) with p the elapsed part of the ramp-up (official ProGAN training), and
    falls as lr_decay^(nimg / decay length).
    """
    schedule = config.schedule
    rampup = schedule.lr_rampup_kimg * 1000
    lr_scale = 1.0 if nimg >= rampup else math.exp(-5 * (1 - nimg / rampup) ** 2)
    lr_scale *= schedule.lr_decay ** (nimg / (schedule.lr_decay_kimg * 1000))
    return _moment(config, lod_at(config.schedule, nominal_side(config.data.resolution), nimg), lr_scale)


def _moment(config: RunConfig, lod: float, lr_scale: float = 1.0) -> Moment:
    schedule = config.schedule
    resolution = nominal_side(config.data.resolution) >> math.floor(lod)
    lr = schedule.lr_by_resolution.get(resolution)
    return Moment(
        lod=lod,
        resolution=resolution,
        batch=schedule.batch_by_resolution.get(resolution, config.batch),
        g_lr=(config.optimizer.g_lr if lr is None else lr) * lr_scale,
        d_lr=(config.optimizer.d_lr if lr is None else lr) * lr_scale,
    )


def lod_at(schedule: ScheduleConfig, side: int, nimg: int) -> float:
    """Return the level of detail after `nimg` images of a run that ends at resolution `side` (nominal).

    Each resolution trains for `stable_kimg`, then the next one fades in over `fade_kimg`.
    """
    num_steps = num_growing_steps(schedule, side)
    period = (schedule.stable_kimg + schedule.fade_kimg) * 1000
    if period == 0 or nimg >= num_steps * period:
        return 0.0
    steps, within = divmod(nimg, period)
    fading = within - schedule.stable_kimg * 1000
    return num_steps - steps - (fading / (schedule.fade_kimg * 1000) if fading > 0 else 0.0)


def num_growing_steps(schedule: ScheduleConfig, side: int) -> int:
    """Return how many times the resolution doubles on the way to `side` (nominal); 0 without growing."""
    return (side // schedule.initial_resolution).bit_length() - 1 if schedule.grow else 0


def resolutions(schedule: ScheduleConfig, side: int) -> list[int]:
    """Return the nominal resolutions a run trains at, in order."""
    return [side >> left for left in range(num_growing_steps(schedule, side), -1, -1)]


def stages(config: RunConfig) -> list[tuple[Moment, float]]:
    """Return every resolution a run trains at: its settings once it has faded in, and its share of the run in kimg."""
    schedule = config.schedule
    num_steps = num_growing_steps(schedule, nominal_side(config.data.resolution))
    period = schedule.stable_kimg + schedule.fade_kimg
    ends = [step * period + schedule.stable_kimg for step in range(num_steps)] + [config.total_kimg]
    starts = [0.0, *ends[:-1]]
    return [
        (_moment(config, float(num_steps - step)), end - start)
        for step, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def check_schedule(config: RunConfig) -> None:
    """Check what the parts of a configuration say together about growing.

    Raises:
        ConfigError: growing starts from a resolution that is none of the network's, does not end within the run, or a
            table of batches leaves a resolution out.
    """
    schedule, side = config.schedule, nominal_side(config.data.resolution)
    levels = [4 << level for level in range(side.bit_length() - 2)]
    if schedule.grow and schedule.initial_resolution not in levels:
        raise ConfigError(
            f"schedule.initial_resolution: got {schedule.initial_resolution}, expected one of "
            f"{', '.join(map(str, levels))}, the resolutions that double to {side}"
        )
    growing_kimg = num_growing_steps(schedule, side) * (schedule.stable_kimg + schedule.fade_kimg)
    if growing_kimg and growing_kimg >= config.total_kimg:
        raise ConfigError(
            f"schedule: growing from {schedule.initial_resolution} to {side} pixels takes {growing_kimg:g} kimg, but "
            f"the run ends after {config.total_kimg:g}; give a larger --kimg, or shorter schedule.stable_kimg and "
            "schedule.fade_kimg"
        )
    table = schedule.batch_by_resolution
    missing = [resolution for resolution in resolutions(schedule, side) if resolution not in table]
    if table and missing:
        raise ConfigError(
            f"schedule.batch_by_resolution: got {_text(table)}, expected an entry for each resolution trained, "
            f"{', '.join(map(str, resolutions(schedule, side)))}; add {', '.join(f'{side}:N' for side in missing)}"
        )


def batches(config: RunConfig) -> list[int]:
    """Return every total batch that occurs in a run."""
    side, table = nominal_side(config.data.resolution), config.schedule.batch_by_resolution
    return list(dict.fromkeys(table.get(at, config.batch) for at in resolutions(config.schedule, side)))


def _text(table: dict[int, int]) -> str:
    return ",".join(f"{resolution}:{batch}" for resolution, batch in table.items())
