"""What a run will be and cost, before it starts."""

from __future__ import annotations

import math

from limner.api.runs import Plan
from limner.config import difference
from limner.runtime import select_device
from limner.training.clock import duration_text
from limner.training.estimate import Estimate, estimate


def forecast(plan: Plan, *, device: str = "auto") -> list[str]:
    """Return lines of text: how a run differs from its preset, its parameters, and what it costs.

    Time and memory come from a few real steps on this machine.

    Args:
        plan: what `configure` resolved.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        ConfigError: there is no such device, the networks cannot be built, or a step does not fit the device's memory.
    """
    place = select_device(device)
    costs = estimate(plan.config, place, num_processes=plan.num_processes)
    return [*_difference_lines(plan), *_cost_lines(plan, costs, str(place))]


def _difference_lines(plan: Plan) -> list[str]:
    changes = [row for row in difference(plan.base, plan.config) if row[0] != "data.path" or plan.is_resumed]
    base = "the run that goes on" if plan.is_resumed else f"preset {plan.base.preset}"
    if not changes:
        return [f"no setting differs from {base}"]
    return [f"settings that differ from {base}:", *(f"  {name}: {old} -> {new}" for name, old, new in changes)]


def _cost_lines(plan: Plan, costs: Estimate, device: str) -> list[str]:
    config = plan.config
    num_epochs = config.total_kimg * 1000 / plan.num_pictures
    total_sec = costs.sec_per_kimg * config.total_kimg
    held = min(config.batch_gpu or math.inf, config.batch // plan.num_processes)
    extended = "" if costs.measured_round >= held else f", measured at up to {costs.measured_round} pictures at once"
    shared = "" if plan.num_processes == 1 else f", if {plan.num_processes} processes do not slow one another down"
    phases = ", ".join(f"{name} {_number(seconds)} s" for name, seconds in costs.phase_sec.items())
    pixels = config.data.channels * config.data.resolution[0] * config.data.resolution[1]
    cache_mb = min(config.data.cache_mb, plan.num_pictures * pixels / 2**20)
    return [
        "parameters: " + ", ".join(f"{name} {count:,}" for name, count in costs.num_parameters.items()),
        f"pictures: {plan.num_pictures:,}, each shown about {_number(num_epochs)} times",
        f"one step of each phase on {device}: {phases}{extended}",
        f"time: {_number(costs.sec_per_kimg)} s per kimg ({_number(1000 / costs.sec_per_kimg)} images/s){shared}; "
        f"{duration_text(total_sec)} for {config.total_kimg:g} kimg",
        f"memory: {costs.peak_memory_mb:.0f} MB a process at most, and {cache_mb:.0f} MB of decoded pictures",
    ]


def _number(value: float) -> str:
    """Return a number with three digits, or all those before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
