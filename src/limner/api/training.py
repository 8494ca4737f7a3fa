"""Training: in this process, in processes started here, or among those a launcher started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from limner import runtime
from limner.api.runs import Plan
from limner.checkpoints.io import CONFIG_NAME, read_document
from limner.config import run_config_from_dict, to_dict
from limner.errors import ConfigError, LimnerError
from limner.training import distributed, loop, records
from limner.training.history import LOG_NAME


def train(
    plan: Plan,
    run_dir: str | Path,
    *,
    device: str = "auto",
    init_from: str | Path | None = None,
    quiet: bool = False,
    command: str = "",
    tune_workers: bool = False,
) -> Path:
    """Train a run, or go on with the one in `run_dir`.

    Under a launcher such as torchrun this process joins the others; else `plan.num_processes` processes are started
    when that is more than one.

    Args:
        plan: what `configure` resolved.
        run_dir: folder of the run; made when missing.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        init_from: snapshot whose networks a new run starts from.
        quiet: print nothing but errors.
        command: the command line, for the record.
        tune_workers: tune the allocator of the processes started here, as the command line does for its own.

    Returns:
        The folder of the run.

    Raises:
        LimnerError: see `training.loop.train`; a `DistributedError` when a process died.
    """
    runtime.select_device(device)
    folder = runtime.expand(run_dir)
    start = None if init_from is None else runtime.expand(init_from)
    arguments = (to_dict(plan.config), folder, device, start, quiet, command)
    if plan.num_processes > 1 and not distributed.is_launched():
        distributed.launch(plan.num_processes, _work, tune_workers, *arguments)
        return folder
    return _train_here(*arguments)


def _work(tune: bool, *arguments: Any) -> str:
    """Body of a process started by `launch`."""
    if tune:
        runtime.setup()
    return str(_train_here(*arguments))


def _train_here(
    values: dict[str, Any], folder: Path, device: str, init_from: Path | None, quiet: bool, command: str
) -> Path:
    return loop.train(
        run_config_from_dict(values),
        folder,
        device=runtime.select_device(device),
        init_from=init_from,
        quiet=quiet,
        command=command,
    )


def num_processes(gpus: int | None, nproc: int | None) -> int:
    """Return how many processes share the batch: those of the launcher, else what was asked for, else one.

    Args:
        gpus: GPUs asked for, one process each; 0 and 1 are one process.
        nproc: processes asked for, on any device.

    Raises:
        ConfigError: both were asked for, fewer than one process, or more GPUs than there are.
    """
    if distributed.is_launched():
        return distributed.num_launched()
    if gpus is not None and nproc is not None:
        raise ConfigError(f"got --gpus {gpus} and --nproc {nproc}, expected one of them; drop one")
    if gpus is not None and gpus > max(torch.cuda.device_count(), 1):
        raise ConfigError(
            f"got --gpus {gpus}, but torch sees {torch.cuda.device_count()} CUDA devices; on a CPU use --nproc {gpus}"
        )
    asked = nproc if nproc is not None else 1 if gpus in (None, 0) else gpus
    if asked < 1:
        raise ConfigError(f"got {asked} processes, expected at least 1; change --gpus or --nproc")
    return asked


def is_run(path: str | Path) -> bool:
    """Whether `path` is the folder of a run, which can go on."""
    folder = runtime.expand(path)
    return (folder / CONFIG_NAME).is_file() and read_document(folder)["kind"] == "run"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has come to."""

    kimg: float
    """Length trained, by the log; 0 before the first tick."""
    results: dict[str, Path]
    """What to look at: `report`, `pictures`, `before and after`; those that there are."""


def outcome(run_dir: str | Path) -> Outcome:
    """Return how long the run in a folder was trained, and what there is to look at."""
    folder = runtime.expand(run_dir)
    ticks = records.read(folder / LOG_NAME)
    grids = {path.stem: path for path in (folder / "samples").glob("*.png") if path.stem.replace(".", "").isdigit()}
    wanted = {
        "report": folder / "report.html",
        "pictures": grids[max(grids, key=float)] if grids else folder / "samples",
        "before and after": folder / "samples" / "before_after.png",
    }
    return Outcome(
        kimg=ticks[-1]["kimg"] if ticks else 0.0,
        results={name: path for name, path in wanted.items() if path.is_file()},
    )


def is_first_process() -> bool:
    """Whether this process is alone, or the first of those a launcher started: the one that may print."""
    return distributed.launched_rank() == 0


def new_run_folder(outdir: str | Path, name: str) -> Path:
    """Make the next numbered run folder: `00000-name`, `00001-name`, ...

    Raises:
        ConfigError: a launcher started this process, so the processes could not agree on a number.
        LimnerError: the folder cannot be made.
    """
    if distributed.is_launched():
        raise ConfigError("under torchrun or srun give the run folder itself with --out: its processes must agree")
    parent = runtime.expand(outdir)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name[:5]) for path in parent.iterdir() if re.match(r"\d{5}-", path.name)]
        folder = parent / f"{max(numbers, default=-1) + 1:05d}-{_file_name(name)}"
        folder.mkdir()
    except OSError as error:
        raise LimnerError(
            f"cannot make a run folder in '{parent}': {error.strerror}; choose another --outdir"
        ) from None
    return folder


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "run"
