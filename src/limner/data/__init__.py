"""Pictures on disk: reading, preparing, labels, order and augmentation of training pictures."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from limner.config import Resolution
from limner.data.base import Dataset, Source, Survey
from limner.data.loader import Loader
from limner.data.readers import open_source
from limner.data.samples import samples_path
from limner.errors import DataError

__all__ = ["Dataset", "Loader", "open_dataset", "open_source", "samples_path"]


def open_dataset(
    path: str | Path,
    *,
    resolution: Resolution | None = None,
    channels: int | None = None,
    subset: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Open pictures of one size for training.

    Args:
        path: folder, zip, CIFAR-10 tar or idx file, or `samples` for the pictures embedded in the package.
        resolution: (height, width) wanted; pictures larger by a whole factor are averaged over boxes. None: as stored.
        channels: 1, 2, 3 or 4; transparency is composited on white when it is not wanted. None: as stored.
        subset: use only this many pictures, chosen by `seed`.
        seed: chooses the subset.

    Raises:
        DataError: nothing to read, pictures that differ in size or do not fit `resolution` (the message gives the
            `limner prepare` command to run), pictures with unreadable headers, or labels that do not fit.
    """
    given = str(path)
    source = open_source(path)
    try:
        survey = source.survey()
        _check_uniform(source, survey, resolution)
        stored = next(iter(survey.sizes))
        resolution = resolution or stored
        _check_fit(source, stored, resolution)
        natural = _natural_channels(source, survey, channels)
    except DataError:
        source.close()
        raise
    count = len(source.names)
    indices = np.arange(count)
    if subset is not None and subset < count:
        if subset < 1:
            source.close()
            raise DataError(f"subset: got {subset}, expected at least 1 picture")
        indices = np.sort(np.random.RandomState(seed % 2**32).permutation(count)[:subset])
    return Dataset(
        source,
        name=given if given == "samples" else Path(given).stem,
        stored_resolution=stored,
        resolution=resolution,
        channels=channels or natural,
        indices=indices,
        note=_note(survey, stored, resolution, channels or natural, natural),
    )


def _check_uniform(source: Source, survey: Survey, resolution: Resolution | None) -> None:
    if survey.broken:
        name, reason = next(iter(survey.broken.items()))
        if not survey.sizes:
            raise DataError(f"no readable picture in {source.path}: '{name}': {reason}; check what the files hold")
        raise DataError(
            f"{len(survey.broken)} of {len(source.names)} pictures in {source.path} cannot be read, such as '{name}': "
            f"{reason}; skip them with: {_prepare_command(source, resolution)}"
        )
    if len(survey.sizes) > 1:
        raise DataError(
            f"the pictures in {source.path} have {len(survey.sizes)} sizes (height x width): {survey.sizes_table()}; "
            f"expected one size; run: {_prepare_command(source, resolution or _modest_resolution(survey))}"
        )


def _check_fit(source: Source, stored: Resolution, resolution: Resolution) -> None:
    factor = stored[0] // resolution[0]
    if factor < 1 or stored != (factor * resolution[0], factor * resolution[1]):
        raise DataError(
            f"the pictures in {source.path} are {stored[0]}x{stored[1]} pixels (height x width), expected "
            f"{resolution[0]}x{resolution[1]} or a whole multiple; run: {_prepare_command(source, resolution)}"
        )


def _natural_channels(source: Source, survey: Survey, channels: int | None) -> int:
    """Return the channels that hold every picture without loss; grey among colour counts as colour."""
    kinds = set(survey.channels)
    if channels is None and len(kinds) > 1 and kinds != {1, 3}:
        kinds_text = ", ".join(f"{c} channels ({n})" for c, n in sorted(survey.channels.items()))
        raise DataError(
            f"the pictures in {source.path} are of several kinds: {kinds_text}; expected all with or all without "
            f"transparency; run: {_prepare_command(source, None)} --channels 3"
        )
    return max(kinds)


def _note(survey: Survey, stored: Resolution, resolution: Resolution, channels: int, natural: int) -> str:
    notes = []
    if stored != resolution:
        notes.append(f"pictures of {stored[0]}x{stored[1]} are averaged down to {resolution[0]}x{resolution[1]}")
    if natural in (2, 4) and channels in (1, 3):
        notes.append("transparency is composited on white")
    if natural >= 3 and channels <= 2:
        notes.append("colour is turned into grey")
    if set(survey.bits) != {8}:
        notes.append("16-bit pictures are rounded to 8 bits")
    return "; ".join(notes)


def _modest_resolution(survey: Survey) -> Resolution:
    """Return the square to suggest: the largest power of two that enlarges no picture, from 8 to 256 pixels."""
    smallest = min(min(size) for size in survey.sizes)
    side = 2 ** (min(max(smallest, 8), 256).bit_length() - 1)
    return side, side


def _prepare_command(source: Source, resolution: Resolution | None) -> str:
    target = f"{Path(source.path).stem or 'pictures'}-prepared.zip"
    command = f"limner prepare {shlex.quote(source.path)} {shlex.quote(target)}"
    if resolution is None:
        return command
    height, width = resolution
    return f"{command} --resolution {height if height == width else f'{height}x{width}'}"
