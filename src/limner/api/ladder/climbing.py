"""Training the runs of a ladder, one after another, and reading what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner.api.ladder.planning import PlannedRun
from limner.api.training import outcome, train
from limner.errors import NonFiniteError
from limner.papers.base import Rung
from limner.training import records
from limner.training.history import LOG_NAME, METRICS_NAME

Report = Callable[[str], None]
"""Called with a line of text."""


@dataclass(frozen=True, kw_only=True)
class RungResult:
    """What one run came to."""

    rung: Rung
    seed: int
    folder: Path
    kimg: float
    """Length trained."""
    seconds: float
    """Time trained, without what was measured and written between ticks."""
    curve: tuple[tuple[float, float], ...]
    """(kimg, score) of every evaluation."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Every value of the last evaluation."""
    control: float | None = None
    """The score of real pictures against other real pictures."""
    failure: str = ""
    """Why the run ended early; empty when it did not."""

    @property
    def score(self) -> float | None:
        """The score at the end; None when the run failed or was not measured."""
        return self.curve[-1][1] if self.curve and not self.failure else None


def climb(runs: Sequence[PlannedRun], *, device: str = "auto", report: Report, quiet: bool = True) -> list[RungResult]:
    """Train every run, going on where an earlier call was stopped; a run whose gradients explode is kept as a result.

    Args:
        runs: what `plan_rungs` returned.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        report: told what begins and what came out.
        quiet: whether each run keeps its own progress to itself.

    Raises:
        LimnerError: see `training.loop.train`.
    """
    results = []
    for number, run in enumerate(runs, 1):
        total = run.plan.config.total_kimg
        report(f"{number}/{len(runs)} {run.rung.row}, seed {run.seed}")
        failure = ""
        if outcome(run.folder).kimg < total:
            try:
                train(run.plan, run.folder, device=device, quiet=quiet, command=f"limner ladder, seed {run.seed}")
            except NonFiniteError as error:
                failure = str(error)
        results.append(read_result(run, failure))
        report(f"    {_summary(results[-1])}")
    return results


def read_result(run: PlannedRun, failure: str = "") -> RungResult:
    """Return what the records of a run's folder say."""
    ticks = records.read(run.folder / LOG_NAME)
    evaluations = records.read(run.folder / METRICS_NAME)
    name = run.plan.config.callbacks.metrics[0]
    measured = [record for record in evaluations if not record.get("control") and name in record["metrics"]]
    controls = [record["metrics"].get(name) for record in evaluations if record.get("control")]
    return RungResult(
        rung=run.rung,
        seed=run.seed,
        folder=run.folder,
        kimg=ticks[-1]["kimg"] if ticks else 0.0,
        seconds=sum(record["sec_per_kimg"] * kimg for record, kimg in _lengths(ticks)),
        curve=tuple((record["kimg"], record["metrics"][name]) for record in measured),
        metrics=dict(measured[-1]["metrics"]) if measured else {},
        control=controls[0] if controls else None,
        failure=failure,
    )


def _lengths(ticks: Sequence[dict]) -> list[tuple[dict, float]]:
    starts = [0.0, *(record["kimg"] for record in ticks)]
    return [(record, record["kimg"] - start) for record, start in zip(ticks, starts, strict=False)]


def _summary(result: RungResult) -> str:
    if result.failure:
        return f"failed after {result.kimg:g} kimg: {result.failure}"
    values = "  ".join(f"{name} {value:.4g}" for name, value in result.metrics.items() if "/" not in name)
    return f"{values or 'not measured'}  {result.seconds:.0f} s"
