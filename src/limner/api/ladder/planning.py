"""Which runs a ladder consists of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner import registry
from limner.api.catalog import find_preset
from limner.api.runs import Plan, RunRequest, configure
from limner.config import Resolution, flatten, to_dict
from limner.errors import ConfigError, closest
from limner.papers.base import Ladder, PresetRequest, Rung
from limner.runtime import expand


@dataclass(frozen=True, kw_only=True)
class LadderRequest:
    """What is asked of a ladder: one budget for all rungs."""

    name: str
    """Name of the ladder (see `ladders`)."""
    data: str
    """Folder or zip of pictures, or `samples`."""
    out: Path
    """Folder of the ladder: one run folder a rung and seed."""
    kimg: float
    """Length of every run, kimg."""
    resolution: Resolution | None = None
    """(height, width) to train at, pixels; None: that of the pictures."""
    batch: int | None = None
    """Total batch of the last rung; that of the others in the published proportion. None: the published ones."""
    repeat: int = 1
    """Runs of a rung, with consecutive seeds."""
    seed: int = 0
    """The first seed."""
    rungs: tuple[str, ...] = ()
    """Presets to run; empty: all."""
    metrics: tuple[str, ...] = ("swd2k",)
    """Metrics; the first is the score that is compared."""
    evaluations: int = 4
    """Times each run is measured, evenly spread, the last at its end."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every run by dotted path."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """Factors on numbers of every rung by dotted path, such as `{"optimizer.g_lr": 2}`: differences of rungs stay."""


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a ladder."""

    rung: Rung
    seed: int
    folder: Path
    plan: Plan


def ladders() -> dict[str, Ladder]:
    """Return the ladders of every room by name."""
    return {
        name: ladder
        for room in registry.names("papers")
        for name, ladder in registry.get("papers", room).LADDERS.items()
    }


def find_ladder(name: str) -> Ladder:
    """Return the ladder called `name`.

    Raises:
        ConfigError: there is none; the message gives the closest name.
    """
    known = ladders()
    if name not in known:
        raise ConfigError(f"unknown ladder '{name}', expected one of: {', '.join(known)}.{closest(name, known)}")
    return known[name]


def plan_rungs(request: LadderRequest) -> list[PlannedRun]:
    """Resolve every run of a ladder: all rungs with the first seed, then with the next.

    Raises:
        ConfigError: an unknown ladder, rung, setting or metric, or a value that makes no sense.
        DataError: the pictures cannot be read or do not fit.
    """
    ladder = find_ladder(request.name)
    for name, value in (("repeat", request.repeat), ("evaluations", request.evaluations)):
        if value < 1:
            raise ConfigError(f"{name}: got {value}, expected at least 1")
    if request.kimg <= 0:
        raise ConfigError(f"kimg: got {request.kimg:g}, expected more than 0")
    chosen = _chosen(ladder, request)
    published = {rung.preset: _published_batch(rung) for rung in ladder.rungs}
    runs = []
    for seed in range(request.seed, request.seed + request.repeat):
        for rung in chosen:
            batch = None
            if request.batch is not None:
                batch = max(round(request.batch * published[rung.preset] / published[ladder.rungs[-1].preset]), 1)
            folder = expand(request.out) / rung.preset / f"seed-{seed}"
            plan = _plan(request, rung, seed, batch, folder)
            runs.append(PlannedRun(rung=rung, seed=seed, folder=folder, plan=plan))
    return runs


def _chosen(ladder: Ladder, request: LadderRequest) -> list[Rung]:
    known = [rung.preset for rung in ladder.rungs]
    for name in request.rungs:
        if name not in known:
            raise ConfigError(
                f"ladder '{request.name}' has no rung '{name}', expected some of: {', '.join(known)}."
                f"{closest(name, known)}"
            )
    return [rung for rung in ladder.rungs if not request.rungs or rung.preset in request.rungs]


def _published_batch(rung: Rung) -> int:
    return find_preset(rung.preset).build(PresetRequest()).batch


def _plan(request: LadderRequest, rung: Rung, seed: int, batch: int | None, folder: Path) -> Plan:
    tick_kimg = request.kimg / (5 * request.evaluations)
    ours = {
        "total_kimg": request.kimg,
        "seed": seed,
        "callbacks.tick_kimg": tick_kimg,
        "callbacks.snap": 5,
        "callbacks.keep": 1,
        "callbacks.metrics": list(request.metrics),
    }
    run = RunRequest(
        data=request.data,
        preset=rung.preset,
        resolution=request.resolution,
        batch=batch,
        settings={**ours, **request.settings},
        run_dir=folder,
    )
    if not request.scales:
        return configure(run)
    plain = configure(dataclasses.replace(run, run_dir=None))
    values = dict(flatten(to_dict(plain.config)))
    scaled = {name: value for path, factor in request.scales.items() for name, value in _scaled(values, path, factor)}
    return configure(dataclasses.replace(run, settings={**run.settings, **scaled}))


def _scaled(values: Mapping[str, Any], path: str, factor: float) -> list[tuple[str, Any]]:
    """Return (path, value times factor) of the number at `path`, or of every entry of the table there."""
    found = {name: value for name, value in values.items() if name == path or name.startswith(f"{path}.")}
    is_number = {name: isinstance(value, int | float) and not isinstance(value, bool) for name, value in found.items()}
    if path in values and not is_number[path]:
        raise ConfigError(f"scale {path}: got {values[path]!r}, expected the path of a number such as optimizer.g_lr")
    if not found and path.rpartition(".")[2] not in ("batch_by_resolution", "lr_by_resolution"):
        raise ConfigError(f"scale: unknown setting '{path}'.{closest(path, values)}")
    return [
        (name, round(value * factor) if isinstance(value, int) else value * factor)
        for name, value in found.items()
        if is_number[name]
    ]
