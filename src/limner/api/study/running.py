"""The study from end to end: invert, measure, judge, write; what was done before is not done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.api.directions import Evidence
from limner.api.evaluation import evaluate
from limner.api.generation import Progress, record_command
from limner.api.study import contenders, semantics, writing
from limner.api.study.bench import Bench, open_bench
from limner.api.study.hypotheses import Verdict, verdicts
from limner.api.study.measuring import Measured, Measurer, kept
from limner.api.study.request import StudyRequest
from limner.editing.base import Direction
from limner.runtime import expand

SEPARABILITY_SEEDS = 3
SEPARABILITY_PICTURES = 2000
"""Pictures that linear separability is measured on, a seed."""


@dataclass(frozen=True, kw_only=True)
class Studied:
    """What a study wrote."""

    page: Path
    tables: tuple[Path, ...]
    verdicts: tuple[Verdict, ...]


def study(
    request: StudyRequest,
    *,
    device: str = "auto",
    command: str = "",
    report: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Studied:
    """Compare ways to invert as the papers do, and write a page, tables and pictures.

    Running it again goes on where it was stopped; a later call with other `parts` adds to the page.

    Args:
        request: networks, pictures and budget.
        device: see `load`.
        command: recorded in `command.txt` and on the page when given.
        report: told of each trial in a line.
        progress: called with updates (done, in all) of all trials of the parts.

    Raises:
        CheckpointError: see `load`; or an encoder or a classifier that is missing, damaged or of another generator.
        ConfigError: a conditional generator, too few pictures, or a classifier of other attributes.
        DataError: pictures that cannot be read.
        WeightsError: the weights of a network that measures are not on this machine.
        LimnerError: a file cannot be written.
    """
    tell = report or (lambda line: None)
    folder = expand(request.out)
    bench = open_bench(request, device)
    _invert(bench, request, folder, tell, progress)
    directions = _directions(bench, request, folder, tell)
    measurer = Measurer(bench, request, folder / "measured", directions)
    found = _measured(bench, request, folder, measurer, tell)
    judged = verdicts(measurer, found, _separability(bench, request, folder, device, tell))
    record_command(folder, command)
    page, tables = writing.write(folder, bench, request, measurer, found, judged, command)
    return Studied(page=page, tables=tables, verdicts=tuple(judged))


def _invert(
    bench: Bench, request: StudyRequest, folder: Path, tell: Callable[[str], None], progress: Progress | None
) -> None:
    """Do the trials of the parts asked for."""
    wanted = [trial for part, trials in contenders.trials(request).items() if part in request.parts for trial in trials]
    total, done = sum(trial.count * trial.num_updates for trial in wanted), 0

    def told(updates: int) -> None:
        nonlocal done
        done += updates
        if progress:
            progress(min(done, total), total)

    for trial in wanted:
        outcome = contenders.run(bench, trial, folder, request.batch, told)
        assert outcome is not None
        tell(
            f"{trial.name}: {trial.count} pictures, mse {outcome.numbers['mse'].mean():.4f}, "
            f"{outcome.seconds.mean():.2f} s a picture"
        )


def _directions(bench: Bench, request: StudyRequest, folder: Path, tell: Callable[[str], None]) -> list[Direction]:
    """Return the boundaries of the attributes; none where nothing is asked about semantics, now or before."""
    if bench.classifier is None:
        return []
    before = semantics.read_boundaries(bench, folder / "boundaries")
    if before is not None or "semantics" not in request.parts:
        return before or []
    evidence = Evidence(classifier=request.classifier, num_samples=request.num_samples, batch=request.batch)
    directions = semantics.find_boundaries(bench, folder / "boundaries", evidence)
    tell(f"boundaries: {', '.join(direction.name for direction in directions) or 'none'}")
    return directions


def _measured(
    bench: Bench, request: StudyRequest, folder: Path, measurer: Measurer, tell: Callable[[str], None]
) -> dict[str, Measured]:
    """Return the numbers of every trial that is done, of this call or an earlier one."""
    found = {}
    for trial in [trial for trials in contenders.trials(request).values() for trial in trials]:
        outcome = contenders.run(bench, trial, folder, request.batch, lambda updates: None, only_read=True)
        if outcome is not None:
            found[trial.name] = measurer.measure(trial, outcome)
            tell(f"measured {trial.name}")
    return found


def _separability(
    bench: Bench, request: StudyRequest, folder: Path, device: str, tell: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Return the linear separability in W and Z of some seeds; nothing where it is not asked for, now or before."""
    path = folder / "measured" / "separability.safetensors"
    if request.classifier is None or ("separability" not in request.parts and not path.is_file()):
        return {}

    def measure() -> dict[str, np.ndarray]:
        scores: dict[str, list[float]] = {"w": [], "z": []}
        for seed in range(SEPARABILITY_SEEDS):
            (result,) = evaluate(
                request.checkpoint,
                metrics=["ls"],
                num=SEPARABILITY_PICTURES,
                classifier=request.classifier,
                device=device,
                seed=seed,
                batch=request.batch,
            )
            scores["w"].append(result.value)
            scores["z"].append(result.values[f"{result.name}/z"])
            tell(f"separability, seed {seed}: W {scores['w'][-1]:.3g}, Z {scores['z'][-1]:.3g}")
        return {space: np.array(values) for space, values in scores.items()}

    return kept(path, bench.identity, measure)
