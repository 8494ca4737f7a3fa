"""Drawing figures: which there are, and the page that shows them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.api.figures.base import Figure, FigureContext
from limner.api.figures.page import render
from limner.api.generation import Label, Progress, load, record_command, seed_list
from limner.checkpoints.io import CONFIG_NAME, read_document
from limner.data import open_dataset
from limner.errors import ConfigError, closest
from limner.papers.base import Generator
from limner.runtime import expand, write_text

MACHINERY = {"base", "page", "runner", "tables"}
"""Modules of this folder that are no figures."""
PAGE_NAME = "figures.html"


@dataclass(frozen=True, kw_only=True)
class FigureSet:
    """What `draw_figures` made."""

    page: Path
    """The page that shows all."""
    drawn: dict[str, list[Path]]
    """Figure -> its files."""
    absent: dict[str, str]
    """Figure -> why it does not apply."""


def names() -> tuple[str, ...]:
    """Return the names of all figures, in the order of their sources: ProGAN, StyleGAN, StyleGAN2."""
    folder = Path(__file__).parent
    found = [module.name for module in pkgutil.iter_modules([str(folder)]) if module.name not in MACHINERY]
    return tuple(sorted((name.replace("_", "-") for name in found), key=lambda name: get(name).SOURCE))


def get(name: str) -> Figure:
    """Return the figure `name`, one of `names`."""
    module: Figure = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
    return module


def draw_figures(
    checkpoint: str | Path,
    out: str | Path,
    *,
    which: str | Sequence[str] = "all",
    seeds: str | Sequence[int] = "0-10",
    data: str | None = None,
    truncation_psi: float = 1.0,
    label: Label = None,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> FigureSet:
    """Draw the papers' figures for a generator, and a page that shows them.

    Args:
        checkpoint: see `load`; of a run folder, the run's history is drawn as well.
        out: folder; made when missing.
        which: `all`, or names of figures with commas between.
        seeds: seeds to show; a figure that needs more goes on counting.
        data: training pictures, for `nearest`; None: without it.
        truncation_psi: truncation of every figure but `truncation`.
        label: class or label vector, for a conditional generator.
        device: see `load`.
        command: recorded in `command.txt` when given.
        progress: called after every figure.

    Raises:
        CheckpointError: see `load`.
        ConfigError: an unknown figure, or a seed or setting out of range.
        DataError: the training pictures cannot be read or do not fit the generator.
        LimnerError: a file cannot be written.
    """
    chosen, numbers = _chosen(which), seed_list(seeds)
    generator = load(checkpoint, device)
    generator.seed_to_ws(numbers[0], truncation_psi=truncation_psi, label=label)  # refuses what does not fit
    dataset = None
    if data is not None:
        dataset = open_dataset(data, resolution=generator.img_resolution, channels=generator.img_channels)
    folder = expand(out)
    context = FigureContext(
        generator=generator,
        seeds=tuple(numbers),
        out=folder,
        run_dir=_run_dir(checkpoint),
        dataset=dataset,
        truncation_psi=truncation_psi,
        label=label,
    )
    drawn: dict[str, list[Path]] = {}
    absent: dict[str, str] = {}
    try:
        for done, name in enumerate(chosen, 1):
            result = get(name).draw(context)
            if isinstance(result, str):
                absent[name] = result
            else:
                drawn[name] = result
            if progress:
                progress(done, len(chosen))
    finally:
        if dataset is not None:
            dataset.close()
    figures = {name: get(name) for name in chosen}
    page = write_text(folder / PAGE_NAME, render(_subject(checkpoint, generator), figures, drawn, absent))
    record_command(folder, command)
    return FigureSet(page=page, drawn=drawn, absent=absent)


def _chosen(which: str | Sequence[str]) -> list[str]:
    known = names()
    if which == "all":
        return list(known)
    wanted = [name.strip() for name in which.split(",")] if isinstance(which, str) else list(which)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"figure: got '{name}', expected all, {', '.join(known)}.{closest(name, known)}")
    return [name for name in known if name in wanted]


def _run_dir(checkpoint: str | Path) -> Path | None:
    """Return the folder when it is a run's."""
    folder = expand(checkpoint)
    is_run = (folder / CONFIG_NAME).is_file() and read_document(folder)["kind"] == "run"
    return folder if is_run else None


def _subject(checkpoint: str | Path, generator: Generator) -> str:
    height, width = generator.img_resolution
    growing = f", level of detail {generator.lod:g}" if generator.lod else ""
    return f"{expand(checkpoint).name}: {height}x{width} (height x width), num_ws {generator.num_ws}{growing}"
