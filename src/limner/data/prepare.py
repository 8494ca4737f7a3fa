"""From pictures of any kind to one data set zip: NVIDIA's layout, which both sides read.

The zip holds ``00000/img00000000.png``, ... (stored, uncompressed PNGs) and ``dataset.json`` with the labels; the keys
`label_names` and `limner` of that file are ours and ignored by NVIDIA's readers. The zip is written under a temporary
name and moved into place when it is complete. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from limner.config import Resolution, base_grid
from limner.data import decode, framing
from limner.data.base import Labels, Source, Survey
from limner.data.readers import open_source
from limner.errors import ConfigError, DataError, closest
from limner.runtime import expand

MIN_SIDE = 8
"""Pictures with a shorter side are skipped as too small, pixels."""

MAX_EXAMPLES = 5
"""Names kept for each reason in the summary."""

FORMAT = 1
"""Number of the layout of our key in `dataset.json`."""

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """How pictures become a data set."""

    resolution: Resolution | int | None = None
    """(height, width) or one number for a square, pixels; None keeps the size, which must be the same for all."""
    filter: framing.Filter = "lanczos"
    """Resize filter."""
    crop: framing.Crop = "centre"
    """`centre`: keep the largest centred part of the right aspect; `none`: stretch; `letterbox`: fill with black."""
    channels: int | None = None
    """1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha; without alpha, transparency is composited on white.
    None: 1 when every picture is grey, else 3."""
    bits: int = 8
    """Bits a channel: 8, or 16 for grey pictures."""
    labels: str | None = None
    """A label file (attribute list, .csv, .tsv or .json); None: the labels beside the pictures."""
    max_images: int | None = None
    """Use at most this many pictures, spread evenly over the sorted names; None: all."""
    on_error: Literal["skip", "fail"] = "skip"
    """Leave out pictures that cannot be used and count them, or stop at the first."""
    workers: int = 2
    """Threads. Never changes the result."""


@dataclass(kw_only=True)
class PrepareSummary:
    """What `prepare` did."""

    path: str
    """The data set zip."""
    count: int = 0
    """Pictures written."""
    resolution: Resolution = (0, 0)
    """(height, width), pixels."""
    channels: int = 3
    """Channels written."""
    bits: int = 8
    """Bits a channel."""
    c_dim: int = 0
    """Length of a label vector; 0 without labels."""
    label_names: tuple[str, ...] | None = None
    """Names of classes or attributes."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Reason -> files left out."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Reason -> the first names left out, each with what exactly was wrong."""
    changed: Counter[str] = field(default_factory=Counter)
    """Treatment -> pictures that were written but not simply copied or resized."""
    notes: list[str] = field(default_factory=list)
    """Sentences worth reading."""
    size_bytes: int = 0
    """Size of the zip, bytes."""
    elapsed_sec: float = 0.0
    """Time taken, seconds."""

    def skip(self, reason: str, name: str) -> None:
        """Count a file that was left out."""
        self.skipped[reason] += 1
        names = self.examples.setdefault(reason, [])
        if len(names) < MAX_EXAMPLES:
            names.append(name)

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        height, width = self.resolution
        labels = f", {self.c_dim} labels" if self.c_dim else ""
        text = [
            f"{self.count} pictures of {height}x{width} (height x width), {self.channels} channels, {self.bits} bits"
            f"{labels} in {self.path} ({self.size_bytes / 1e6:.1f} MB, {self.elapsed_sec:.1f} s)"
        ]
        text += [f"{total} {treatment}" for treatment, total in self.changed.most_common()]
        for reason, total in self.skipped.most_common():
            names = self.examples[reason]
            more = ", ..." if total > len(names) else ""
            text.append(f"{total} left out: {reason}: {', '.join(names)}{more}")
        return text + self.notes


def prepare(
    src: str | Path, dest: str | Path, config: PrepareConfig, progress: Progress | None = None
) -> PrepareSummary:
    """Turn pictures of any kind into one data set zip.

    Args:
        src: anything `open_source` opens.
        dest: the zip to write; an older data set zip of ours there is replaced once the new one is complete.
        config: how.
        progress: called after every picture.

    Raises:
        ConfigError: a setting out of range, or a resolution that no network can be built for.
        DataError: nothing to read, mixed sizes without `resolution`, no usable picture, a `dest` that is not ours to
            replace, a failed write, or (`on_error="fail"`) a picture that cannot be used. `dest` is then as it was.
    """
    started = time.perf_counter()
    _check(config)
    source = open_source(src, config.labels)
    try:
        path = _check_dest(expand(dest), source)
        summary = PrepareSummary(path=str(path), bits=config.bits)
        for name in source.others:
            summary.skip("not a picture", name)
        _plan(source, config, summary)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, source, config, summary, progress)
            summary.size_bytes = temporary.stat().st_size
            os.replace(temporary, path)
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror or error}; nothing there was changed, so make room or choose "
                "another place and run it again"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
    finally:
        source.close()
    summary.elapsed_sec = time.perf_counter() - started
    return summary


def _check(config: PrepareConfig) -> None:
    """Raise `ConfigError` for a setting out of range."""
    if config.resolution is not None:
        base_grid(_pair(config.resolution))
    for name, value, known in (
        ("filter", config.filter, tuple(framing.FILTERS)),
        ("crop", config.crop, framing.CROPS),
        ("on_error", config.on_error, ("skip", "fail")),
    ):
        if value not in known:
            raise ConfigError(f"{name}: got '{value}', expected one of {', '.join(known)}.{closest(value, known)}")
    if config.channels not in (None, 1, 2, 3, 4):
        raise ConfigError(f"channels: got {config.channels}, expected 1, 2, 3 or 4")
    if config.bits not in (8, 16):
        raise ConfigError(f"bits: got {config.bits}, expected 8 or 16")
    if config.max_images is not None and config.max_images < 1:
        raise ConfigError(f"max_images: got {config.max_images}, expected at least 1")
    if config.workers < 1:
        raise ConfigError(f"workers: got {config.workers}, expected at least 1")


def _check_dest(dest: Path, source: Source) -> Path:
    """Return `dest` if it may be written."""
    if dest.suffix.lower() != ".zip":
        raise DataError(f"got the destination {dest}, expected a file name ending in .zip; use {dest}.zip")
    if not dest.exists():
        return dest
    if dest.is_dir() or os.path.samefile(dest, source.path) or not _is_ours(dest):
        raise DataError(
            f"{dest} exists and is no data set written by limner, so it is not replaced; choose another name"
        )
    return dest


def _is_ours(path: Path) -> bool:
    """Return whether `path` is a zip that `prepare` wrote."""
    try:
        with zipfile.ZipFile(path) as archive:
            values = json.loads(archive.read("dataset.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        return False
    return isinstance(values, dict) and "limner" in values


def _plan(source: Source, config: PrepareConfig, summary: PrepareSummary) -> None:
    """Settle resolution, channels and labels; fills in `summary`."""
    survey = source.survey() if config.resolution is None or config.channels is None else Survey()
    if config.resolution is not None:
        summary.resolution = _pair(config.resolution)
    elif len(survey.sizes) == 1:
        summary.resolution = next(iter(survey.sizes))
        try:
            base_grid(summary.resolution)
        except ConfigError as error:
            summary.notes.append(f"note: {error}")
    elif survey.sizes:
        raise DataError(
            f"the pictures in {source.path} have {len(survey.sizes)} sizes (height x width): {survey.sizes_table()}; "
            "give --resolution"
        )
    summary.channels = config.channels or (1 if survey.channels.keys() <= {1, 2} else 3)
    if config.bits == 16 and summary.channels != 1:
        raise ConfigError(
            f"bits: got 16 with {summary.channels} channels, expected 1 channel: only grey PNGs of 16 bits can be "
            "written; use --channels 1 or --bits 8"
        )
    if source.labels is not None:
        summary.c_dim, summary.label_names = source.labels.dim, source.labels.names


def _write(
    path: Path, source: Source, config: PrepareConfig, summary: PrepareSummary, progress: Progress | None
) -> None:
    """Write the zip under the name `path`."""
    count = len(source.names)
    wanted = min(config.max_images or count, count)
    indices = [index * count // wanted for index in range(wanted)]
    kept: list[int] = []
    results = _convert_all(source, indices, config, summary)
    with closing(results), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for done, (index, result) in enumerate(results, start=1):
            if isinstance(result, decode.PictureError):
                _note_error(source.names[index], result, config, summary)
            else:
                encoded, treatments = result
                archive.writestr(_entry(_picture_name(len(kept))), encoded)
                summary.changed.update(treatments)
                kept.append(index)
            if progress is not None:
                progress(done, wanted)
        if not kept:
            reasons = ", ".join(f"{total} {reason}" for reason, total in summary.skipped.most_common())
            example = next(iter(summary.examples.values()))[0]
            raise DataError(
                f"no usable picture in {source.path}: {reasons}, such as {example}; check what the files hold"
            )
        summary.count = len(kept)
        labels = source.labels.take(np.array(kept)) if source.labels is not None else None
        archive.writestr(_entry("dataset.json"), json.dumps(_description(labels, config, summary)))


def _note_error(name: str, error: decode.PictureError, config: PrepareConfig, summary: PrepareSummary) -> None:
    if config.on_error == "fail":
        raise DataError(f"cannot use '{name}': {error}; correct it, or leave such pictures out with --on-error skip")
    summary.skip(error.reason, name + str(error).removeprefix(error.reason))


Converted = tuple[bytes, list[str]]
"""An encoded PNG and what had to be done to the picture."""


def _convert_all(
    source: Source, indices: list[int], config: PrepareConfig, summary: PrepareSummary
) -> Generator[tuple[int, Converted | decode.PictureError]]:
    """Yield (index, result) in order, converting ahead in threads."""

    def convert(index: int) -> Converted | decode.PictureError:
        try:
            return _convert(source.picture(index), config, summary.resolution, summary.channels)
        except decode.PictureError as error:
            return error

    pending: deque[tuple[int, Future[Converted | decode.PictureError]]] = deque()
    pool = ThreadPoolExecutor(config.workers, thread_name_prefix="limner-prepare")
    try:
        for index in indices:
            pending.append((index, pool.submit(convert, index)))
            if len(pending) > 4 * config.workers:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _convert(picture: Image.Image, config: PrepareConfig, resolution: Resolution, channels: int) -> Converted:
    """Return one picture as PNG bytes, and how it was treated."""
    if min(picture.size) < MIN_SIDE:
        raise decode.PictureError("too small", f"{picture.height}x{picture.width} pixels")
    if config.resolution is None and (picture.height, picture.width) != resolution:
        raise decode.PictureError("of another size", f"{picture.height}x{picture.width} pixels")
    treatments = _treatments(picture, config, resolution, channels)
    if config.bits == 16:
        deep = framing.fit_deep(picture, resolution, config.crop, config.filter)
        return framing.encode_png(deep), treatments
    fitted = framing.fit(decode.to_channels(picture, channels), resolution, config.crop, config.filter)
    return framing.encode_png(fitted), treatments


def _treatments(picture: Image.Image, config: PrepareConfig, resolution: Resolution, channels: int) -> list[str]:
    """Return what has to be done to `picture` beyond cropping and shrinking, in words for the summary."""
    natural = decode.natural_channels(picture)
    facts = {
        "turned upright by their EXIF orientation": bool(picture.info.get(decode.TURNED)),
        "of several frames, the first is used": bool(getattr(picture, "is_animated", False)),
        "converted from CMYK": picture.mode == "CMYK",
        "converted from a palette": picture.mode in ("P", "PA"),
        "composited on white": natural in (2, 4) and channels in (1, 3),
        "turned into grey": natural >= 3 and channels <= 2,
        "rounded from 16 to 8 bits": decode.is_deep(picture) and config.bits == 8,
        "enlarged": framing.is_enlarged(picture.size, resolution, config.crop),
    }
    return [words for words, holds in facts.items() if holds]


def _description(labels: Labels | None, config: PrepareConfig, summary: PrepareSummary) -> dict[str, Any]:
    """Return the content of `dataset.json`."""
    rows = None
    if labels is not None:
        rows = [[_picture_name(i), _plain(value)] for i, value in enumerate(labels.values)]
    return {
        "labels": rows,
        "label_names": list(labels.names) if labels is not None and labels.names is not None else None,
        "limner": {
            "format": FORMAT,
            "count": summary.count,
            "resolution": list(summary.resolution),
            "channels": summary.channels,
            "bits": summary.bits,
            "filter": config.filter,
            "crop": config.crop,
        },
    }


def _plain(value: np.ndarray | np.int64) -> int | list[float]:
    if isinstance(value, np.ndarray):
        return [float(f"{v:.9g}") for v in value]  # nine digits bring every float32 back exactly
    return int(value)


def _picture_name(number: int) -> str:
    """Return NVIDIA's name of picture `number`: the folder repeats the first five of its eight digits."""
    digits = f"{number:08d}"
    return f"{digits[:5]}/img{digits}.png"


def _entry(name: str) -> zipfile.ZipInfo:
    """Return a zip entry with a fixed date, so that the same pictures give the same bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    return entry


def _pair(resolution: Resolution | int) -> Resolution:
    return (resolution, resolution) if isinstance(resolution, int) else (int(resolution[0]), int(resolution[1]))
