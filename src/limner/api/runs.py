"""Resolving what was asked for into the configuration of a run.

Layers, lowest first: defaults, preset (or the run that goes on), fine-tuning, configuration files, flags. What a preset
depends on (resolution, channels, labels) is read from the data set where it is not asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from limner import registry
from limner.api import finished, labelled
from limner.api.catalog import find_preset
from limner.checkpoints.io import CONFIG_NAME, find_snapshot, load_config
from limner.config import (
    DataConfig,
    Resolution,
    RunConfig,
    base_grid,
    from_dict,
    read_yaml,
    run_config_from_dict,
    to_dict,
    with_changes,
)
from limner.data import Dataset, open_dataset
from limner.data.augment import AugmentPipe, DiffAugment
from limner.errors import ConfigError, DataError
from limner.metrics import runner as metrics
from limner.papers.base import FinishedGenerator, PresetRequest
from limner.runtime import expand
from limner.training.run_folder import check_batch, check_folder
from limner.training.schedule import check_schedule

DEFAULT_PRESET = "stylegan2-ada-auto"
FINE_TUNING = {"augment": {"speed_kimg": 100.0}, "ema": {"rampup": None}}
"""What changes when a run starts from trained networks (official ADA: p moves faster, the average has no ramp-up)."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What is asked of a run.

    None means: what the files say, else the run that goes on in `run_dir`, else the data set and the preset.
    """

    data: str | None = None
    """Folder or zip of pictures, or `samples` for the pictures in the package."""
    preset: str | None = None
    """Name of a preset (see `presets`)."""
    resolution: Resolution | None = None
    """(height, width) to train at, pixels."""
    channels: int | None = None
    """Channels to train with: 1, 2, 3 or 4."""
    cond: bool | None = None
    """Condition on the labels of the data set."""
    batch: int | None = None
    """Total batch."""
    num_processes: int = 1
    """Processes that share the batch."""
    files: tuple[Path, ...] = ()
    """YAML files of settings; later ones win."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings by dotted path, such as `{"objective.r1_gamma": 2}`; text is read as the type of its field."""
    run_dir: Path | None = None
    """Folder of the run. A run in it goes on with its own settings, unless a preset or files are given."""
    init_from: Path | None = None
    """Snapshot whose networks a new run starts from."""
    generator: Path | None = None
    """Snapshot whose finished generator an encoder is trained for; a run that goes on knows its own."""
    attributes: tuple[str, ...] | None = None
    """What a classifier learns of the labels of the data set; `("all",)`: everything."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run, resolved and checked."""

    config: RunConfig
    """The configuration."""
    base: RunConfig
    """What it is compared with: the preset at this resolution, or the run that goes on."""
    is_resumed: bool
    """Whether `base` is a run that goes on."""
    num_processes: int
    """Processes that share the batch."""
    num_pictures: int
    """Pictures in the data set."""
    data_note: str
    """How the pictures are changed on reading; empty when they are not."""


def configure(request: RunRequest) -> Plan:
    """Resolve a request, and check it against the data set.

    Raises:
        ConfigError: an unknown preset, file, setting or name, a wrong type, a value that makes no sense, or a `run_dir`
            of another run or of other things.
        CheckpointError: the configuration of the run in `run_dir` is damaged, a new run's `init_from` is missing, or
            `generator` cannot be used.
        DataError: the pictures cannot be read or do not fit.
    """
    overlay = _read_files(request.files)
    run_dir = None if request.run_dir is None else expand(request.run_dir)
    existing = _run_in(run_dir)
    resumed = None if request.preset or request.files else existing
    if request.init_from is not None and existing is None:
        find_snapshot(request.init_from)
    generator = _finished_generator(request, overlay, existing, resumed)
    made = {} if generator is None else {"data": finished.pictures_of(generator)}
    said = merged(made, merged(to_dict(resumed) if resumed else {}, overlay)).get("data", {})
    data = from_dict(DataConfig, said, "data")
    is_learned = labelled.is_learned(_preset_name(request, overlay), resumed, request.attributes, request.cond)
    path = request.data or data.path
    if not path:
        raise ConfigError("no pictures to train on; give --data FOLDER, --data FILE.zip, or --data samples")
    if request.resolution is not None:
        base_grid(request.resolution)  # before the pictures are asked to fit it
    dataset = open_dataset(
        path,
        resolution=request.resolution or (data.resolution if "resolution" in said else None),
        channels=request.channels or (data.channels if "channels" in said else None),
    )
    try:
        is_conditional = is_learned or (data.cond if request.cond is None else request.cond)
        attributes = {}
        if is_learned:
            attributes = labelled.places(dataset, labelled.wanted(request.attributes, overlay, resumed))
        if generator is not None:
            finished.check_fit(generator, dataset, dataset.c_dim if is_conditional else 0)
        start, base = resumed, resumed
        if start is None or base is None:
            own = PresetRequest(
                resolution=dataset.resolution,
                channels=dataset.channels,
                c_dim=_c_dim(dataset, is_conditional),
                generator=generator,
                attributes=attributes,
            )
            start, base = _from_preset(request, overlay, own, existing)
        values = to_dict(start)
        if request.init_from and not resumed:
            values = merged(values, FINE_TUNING)
        values = merged(values, {**overlay, "preset": start.preset})
        values = merged(values, _asked(request, dataset, is_conditional, start))
        if is_learned:
            values["classifier"]["attributes"] = attributes
        values["data"]["path"] = path
        config = with_changes(run_config_from_dict(values), request.settings)
        _check_parts(config)
        check_schedule(config)
        check_batch(config, request.num_processes)
        if run_dir is not None:
            check_folder(run_dir, config)
        _check_data(config, dataset, path)
    finally:
        dataset.close()
    return Plan(
        config=config,
        base=base,
        is_resumed=resumed is not None,
        num_processes=request.num_processes,
        num_pictures=min(len(dataset), config.data.subset or len(dataset)),
        data_note=dataset.note,
    )


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings laid over one another: `high` wins leaf by leaf."""
    result = dict(low)
    for key, value in high.items():
        below = result.get(key)
        is_group = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if is_group else value  # type: ignore[arg-type]
    return result


def _read_files(files: tuple[Path, ...]) -> dict[str, Any]:
    overlay: dict[str, Any] = {}
    for file in files:
        overlay = merged(overlay, read_yaml(expand(file)))
    return overlay


def _run_in(run_dir: Path | None) -> RunConfig | None:
    """Return the configuration of the run in a folder; None when there is none yet."""
    if run_dir is None or not (run_dir / CONFIG_NAME).exists():
        return None
    return load_config(run_dir)


def _from_preset(
    request: RunRequest, overlay: Mapping[str, Any], own: PresetRequest, existing: RunConfig | None
) -> tuple[RunConfig, RunConfig]:
    """Return the preset for the batch, processes and length asked for, and for its own, to compare the run with.

    A run of this preset that exists already keeps its pace of growing and learning when it is made longer.
    """
    preset = find_preset(_preset_name(request, overlay))
    batch = request.batch or overlay.get("batch")
    asked = dataclasses.replace(
        own,
        batch=batch if isinstance(batch, int) and batch > 0 else None,
        num_processes=request.num_processes,
        total_kimg=_total_kimg(request, overlay),
    )
    start, base = preset.build(asked), preset.build(own)
    if existing is not None and existing.preset == preset.name:
        durations = ("stable_kimg", "fade_kimg", "lr_decay_kimg")
        pace = {name: getattr(existing.schedule, name) for name in durations}
        start = dataclasses.replace(start, schedule=dataclasses.replace(start.schedule, **pace))
    if overlay.get("room", start.room) != start.room:
        raise ConfigError(
            f"the configuration file is of room '{overlay['room']}', but preset '{preset.name}' is of room "
            f"'{start.room}'; name a preset of that room"
        )
    return start, base


def _preset_name(request: RunRequest, overlay: Mapping[str, Any]) -> str:
    named = overlay.get("preset")
    if request.preset and named and named != request.preset:
        raise ConfigError(f"the configuration file is of preset '{named}', --preset says '{request.preset}'; drop one")
    return str(request.preset or named or DEFAULT_PRESET)


def _finished_generator(
    request: RunRequest, overlay: Mapping[str, Any], existing: RunConfig | None, resumed: RunConfig | None
) -> FinishedGenerator | None:
    """Return the generator that an encoder is trained for; None for other runs."""
    if resumed is None:
        return finished.find(request.generator, _preset_name(request, overlay), overlay, existing)
    if request.generator is not None:
        finished.check_same(request.generator, resumed)
    return FinishedGenerator.of(resumed)


def _total_kimg(request: RunRequest, overlay: Mapping[str, Any]) -> float | None:
    """Return the length asked for, kimg; None without one, or for one that is refused when settings are read."""
    value = request.settings.get("total_kimg", overlay.get("total_kimg"))
    try:
        return float(value) if value is not None and float(value) > 0 else None
    except (TypeError, ValueError):
        return None


def _asked(request: RunRequest, dataset: Dataset, is_conditional: bool, start: RunConfig) -> dict[str, Any]:
    """Return the settings that the fields of a request stand for, in every part of `start` that repeats them."""
    values: dict[str, Any] = {}
    if request.resolution is not None:
        values = merged(values, _in_all_parts(start, "resolution", "img_resolution", list(dataset.resolution)))
    if request.channels is not None:
        values = merged(values, _in_all_parts(start, "channels", "img_channels", dataset.channels))
    if request.cond is not None:
        c_dim = _c_dim(dataset, is_conditional)
        values = merged(values, _in_all_parts(start, "c_dim", "c_dim", c_dim))
        values = merged(values, {"data": {"cond": is_conditional}})
    if request.batch is not None:
        values["batch"] = request.batch
    return values


def _in_all_parts(start: RunConfig, data_name: str, name: str, value: Any) -> dict[str, Any]:
    parts = [part for part in ("generator", "discriminator", "classifier") if getattr(start, part) is not None]
    return {"data": {data_name: value}, **{part: {name: value} for part in parts}}


def _c_dim(dataset: Dataset, is_conditional: bool) -> int:
    if is_conditional and not dataset.c_dim:
        raise DataError(
            f"the pictures in {dataset.path} have no labels to condition on; leave out --cond, or make a data set "
            "with labels (limner prepare --help)"
        )
    return dataset.c_dim if is_conditional else 0


def _check_parts(config: RunConfig) -> None:
    """Check the names of parts, which the dataclasses do not know."""
    for name in config.callbacks.names:
        if name not in registry.names("callbacks"):
            registry.get("callbacks", name)  # raises, naming the closest
    for name in config.callbacks.metrics:
        metrics.find(name)
    other = "an encoder" if config.encoder is not None else "a classifier" if config.classifier is not None else ""
    if other and config.callbacks.metrics:
        raise ConfigError(
            f"callbacks.metrics: got {', '.join(config.callbacks.metrics)}, which measure a generator, but preset "
            f"'{config.preset}' trains {other}; drop --metrics"
        )
    if config.classifier is not None and config.augment.mode == "ada":
        raise ConfigError(
            f"augment.mode: got ada, which adapts to a discriminator, but preset '{config.preset}' trains a "
            "classifier; expected fixed (with --p), diffaugment or none"
        )
    AugmentPipe(config.augment.pipe)
    DiffAugment(config.augment.policy)
    if config.augment.mode == "fixed" and config.augment.p == 0:
        raise ConfigError("augment.mode fixed with augment.p 0 changes nothing; give a probability such as --p 0.2")


def _check_data(config: RunConfig, dataset: Dataset, path: str) -> None:
    """Check that what the settings ended up with is what `dataset`, opened from `path`, gives."""
    data = config.data
    if (data.resolution, data.channels, data.path) != (dataset.resolution, dataset.channels, path):
        dataset = open_dataset(data.path, resolution=data.resolution, channels=data.channels)
        dataset.close()
    if data.cond and data.c_dim != dataset.c_dim:
        raise DataError(
            f"the pictures in {data.path} have labels of {dataset.c_dim} values, the configuration expects "
            f"data.c_dim={data.c_dim}; give the data set it was made for, or --cond to take this one's labels"
        )
    if data.cond and getattr(config.objective, "tells_classes_apart", False) and dataset.labels is not None:
        sums = dataset.labels.vectors(np.arange(len(dataset))).sum(1)  # [N]
        if (sums != 1).any():
            raise DataError(
                f"the labels of the pictures in {data.path} are attributes, several or none at once, but preset "
                f"'{config.preset}' tells classes apart, one a picture; give pictures of classes, or set "
                "objective.class_weight=0"
            )
