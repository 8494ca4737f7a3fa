"""The finished generator that a run trains an encoder for: where it is named, and what it fixes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.api.catalog import find_preset
from limner.checkpoints.networks import finished_generator
from limner.config import RunConfig, SourceConfig
from limner.data import Dataset
from limner.errors import ConfigError
from limner.papers.base import FinishedGenerator, PresetRequest


def find(
    given: Path | None, preset: str, overlay: Mapping[str, Any], existing: RunConfig | None
) -> FinishedGenerator | None:
    """Return the generator that a run of `preset` is for; None where the preset trains its own.

    Args:
        given: the snapshot asked for.
        preset: name of the run's preset.
        overlay: settings of the configuration files.
        existing: the run that goes on; one that knows its generator needs no snapshot any more.

    Raises:
        ConfigError: a generator is missing, or not wanted.
        CheckpointError: it cannot be read, or was still growing.
    """
    blank = find_preset(preset).build(PresetRequest())
    if blank.generator_from is None:
        if given is not None:
            raise ConfigError(
                f"--generator names a finished generator to train an encoder for, but preset '{preset}' trains its "
                "own; name a preset such as idinvert-tiny, or start from trained networks with --init-from"
            )
        return None
    if existing is not None and existing.generator_from is not None and given is None:
        return FinishedGenerator.of(existing)
    source = overlay.get("generator_from")
    path = given or (source.get("path") if isinstance(source, Mapping) else None)
    if not path:
        raise ConfigError(
            f"preset '{preset}' trains an encoder for a generator that is finished, got none; name one with "
            "--generator: the folder of its run, a snapshot, or a .safetensors file in one"
        )
    return finished_generator(path)


def check_same(given: Path, run: RunConfig) -> None:
    """Raise `ConfigError` unless `given` holds the generator of a run that goes on."""
    source = run.generator_from or SourceConfig()
    now = finished_generator(given).source
    if now.fingerprint != source.fingerprint:
        known = (
            f"the run that goes on is for {source.fingerprint}" if source.room else "the run that goes on has its own"
        )
        raise ConfigError(f"--generator holds generator {now.fingerprint}, but {known}; drop it, or give another --out")


def pictures_of(generator: FinishedGenerator) -> dict[str, Any]:
    """Return the settings of the pictures that a generator makes, and whether it takes labels."""
    config = generator.generator
    return {"resolution": list(config.img_resolution), "channels": config.img_channels, "cond": config.c_dim > 0}


def check_fit(generator: FinishedGenerator, dataset: Dataset, c_dim: int) -> None:
    """Raise `ConfigError` unless pictures and labels are of the kind that a generator makes and takes."""
    config = generator.generator
    rows: tuple[tuple[str, Any, Any, str], ...] = (
        ("resolution", config.img_resolution, dataset.resolution, "leave out --resolution"),
        ("channels", config.img_channels, dataset.channels, "leave out --channels"),
        (
            "length of labels",
            config.c_dim,
            c_dim,
            "give pictures with the labels it was trained with" if config.c_dim else "leave out --cond",
        ),
    )
    for what, expected, got, advice in rows:
        if got != expected:
            got, expected = ("x".join(map(str, v)) if isinstance(v, tuple) else v for v in (got, expected))
            raise ConfigError(f"{what}: got {got}, expected {expected}, as the generator has it; {advice}")
