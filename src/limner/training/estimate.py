"""What a run will cost: parameters, seconds per kimg and memory, from a few real steps on random pictures.

Every phase of the objective runs with its optimiser, R1 and path length among them; a phase that is due every k
iterations counts 1/k. On a CPU time and memory grow with the samples held at once, so large rounds are measured at two
smaller sizes and extended along the line through them; elsewhere the round is measured as it is. A run that grows is
measured at every resolution it trains at; each counts by the pictures it is shown.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from limner.config import RunConfig
from limner.errors import ConfigError
from limner.ops.growing import shrink
from limner.papers.base import Batch, ObjectiveContext, Phase
from limner.runtime import peak_memory_mb
from limner.training import augmentation
from limner.training.draws import SharedDraws
from limner.training.schedule import Moment, stages
from limner.training.state import TrainingState, initial_state

MEASURED_PIXELS = 2**18
"""Largest round measured on a CPU, pixels: 64 pictures of 64 x 64, 4 of 256 x 256."""
ENOUGH_SEC = 3.0
"""A phase is not repeated once its steps took this long together, seconds."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one process of a run needs."""

    num_parameters: dict[str, int]
    """Network (`G`, `D`, ...) -> parameters."""
    phase_sec: dict[str, float]
    """Phase -> seconds of one step at full resolution, all its accumulation rounds."""
    sec_per_kimg: float
    """Seconds per thousand pictures of the whole run, if its processes do not slow one another down."""
    peak_memory_mb: float
    """Largest memory of a process, MB: resident memory on a CPU, else what torch takes of the device."""
    measured_round: int
    """Largest round that was run, samples; less than the run's own where time and memory were extended."""


def estimate(config: RunConfig, device: torch.device, *, num_processes: int = 1, steps: int = 2) -> Estimate:
    """Run every phase a few times and add up.

    Args:
        config: the run.
        device: where to compute.
        num_processes: processes that share the batch.
        steps: timed steps of each phase, after one to warm up.

    Raises:
        ConfigError: the networks cannot be built, or a round does not fit the device's memory.
    """
    context = ObjectiveContext()
    state = initial_state(config, context, device)
    context.augment = augmentation.build(config.augment, state.augment_p, device)
    phases, ema_sec = state.objective.phases(), _time_ema(state)
    total_sec = 0.0
    for now, kimg in stages(config):
        share = now.batch // num_processes
        held = min(config.batch_gpu or share, share)
        phase_sec, memory_mb, measured = _measure(state, config, now, held, steps)
        phase_sec = {name: seconds * -(-share // held) for name, seconds in phase_sec.items()}
        iteration_sec = sum(phase_sec[phase.name] / phase.interval for phase in phases) + ema_sec
        total_sec += iteration_sec * kimg * 1000 / now.batch
    return Estimate(
        num_parameters={
            name: sum(parameter.numel() for parameter in module.parameters())
            for name, module in state.modules().items()
            if name in state.optimizers
        },
        phase_sec=phase_sec,
        sec_per_kimg=total_sec / config.total_kimg,
        peak_memory_mb=memory_mb,
        measured_round=measured,
    )


def _measure(
    state: TrainingState, config: RunConfig, now: Moment, held: int, steps: int
) -> tuple[dict[str, float], float, int]:
    """Return the seconds of a round of `held` samples by phase, the peak memory in MB, and the largest round run."""
    device = state.rng.device
    height, width = config.data.resolution
    resolution = height >> math.floor(now.lod), width >> math.floor(now.lod)
    sizes = _measured_sizes(held, resolution, device)
    seconds: list[dict[str, float]] = []
    memory: list[float] = []
    for size in sizes:
        try:
            timed = {p.name: _time_phase(state, p, config, now, size, steps) for p in state.objective.phases()}
        except torch.OutOfMemoryError:
            raise ConfigError(
                f"batch_gpu: {size} pictures at once do not fit the memory of '{device}'; give a smaller --batch-gpu"
            ) from None
        seconds.append(timed)
        memory.append(_peak_memory_mb(device))
    return (
        {name: _extended(sizes, [timed[name] for timed in seconds], held) for name in seconds[0]},
        _extended(sizes, memory, held),
        sizes[-1],
    )


def _measured_sizes(held: int, resolution: tuple[int, int], device: torch.device) -> list[int]:
    """Return the round sizes to run, ascending: `held` itself, or two smaller ones."""
    largest = max(MEASURED_PIXELS // (resolution[0] * resolution[1]), 2)
    if device.type != "cpu" or held <= largest:
        return [held]
    return [largest // 2, largest]


def _extended(sizes: list[int], values: list[float], size: int) -> float:
    """Return the value at `size` on the line through the measured ones."""
    if len(sizes) == 1:
        return values[0]
    slope = max(values[1] - values[0], 0.0) / (sizes[1] - sizes[0])
    return values[1] + slope * (size - sizes[1])


def _time_phase(state: TrainingState, phase: Phase, config: RunConfig, now: Moment, size: int, steps: int) -> float:
    """Return the shortest time of one step of a phase on `size` samples, seconds."""
    device = state.rng.device
    shape = (size, config.data.channels, *config.data.resolution)
    images = shrink(torch.rand(shape, generator=state.rng, device=device) * 2 - 1, now.lod)
    table = torch.eye(config.data.c_dim, device=device) if config.data.cond else None
    times: list[float] = []
    while len(times) <= steps and sum(times) < ENOUGH_SEC:
        draws = SharedDraws(state.rng, batch=size, label_table=table)
        batch = Batch(images, draws.labels(), draws, now.lod)
        _synchronize(device)
        started = time.perf_counter()
        _step(state, phase, batch, config.optimizer.freeze_d)
        _synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times)


def _step(state: TrainingState, phase: Phase, batch: Batch, num_frozen: int) -> None:
    state.select(phase, num_frozen)
    optimizer = state.optimizers[phase.module]
    optimizer.zero_grad(set_to_none=True)
    phase.loss(batch)["loss"].backward()
    optimizer.step()


def _time_ema(state: TrainingState) -> float:
    started = time.perf_counter()
    state.average(0.99)
    return time.perf_counter() - started


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory_mb()
