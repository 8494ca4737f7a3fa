"""Measuring a generator, or a set of pictures, against real pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from limner import __version__
from limner.api import classifying
from limner.api.summaries import is_checkpoint
from limner.checkpoints.io import load_config
from limner.checkpoints.networks import load_generator
from limner.config import Resolution
from limner.data import Dataset, open_dataset
from limner.data.decode import to_picture
from limner.errors import ConfigError, LimnerError
from limner.images import grid, save_png
from limner.metrics import runner
from limner.metrics.base import Result, State
from limner.metrics.engine.cache import default_folder
from limner.metrics.engine.collecting import BATCH, Gather, Progress, Team
from limner.metrics.engine.networks import Attributes, Networks
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures, PictureSource
from limner.metrics.engine.statistics import GivenMoments, read_moments, write_moments
from limner.metrics.separability import KEPT, Separability
from limner.papers.base import Generator
from limner.runtime import atomic_file, expand, select_device
from limner.training import distributed

NEIGHBOURS = 5
"""Real pictures beside each on a sheet of `nearest`."""
DEFAULT_METRICS = ("fd_lite0_5k", "kd_lite0_5k", "pr_lite0_5k")
"""What is measured where nothing is asked for: needs no download."""

ENOUGH = 10
"""Latents for each of their numbers that a plane should be fitted to."""


def evaluate(
    target: str | Path,
    data: str | Path | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    num: int | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    batch: int = BATCH,
    mirror: bool = False,
    control: bool = False,
    weights: Mapping[str, str | Path] | None = None,
    attributes: Attributes | None = None,
    classifier: str | Path | None = None,
    stats_out: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Measure a generator, or a set of pictures, against real pictures.

    Under a launcher such as torchrun the processes share the work, and all get the results.

    Args:
        target: a run folder (its newest snapshot), a snapshot folder or a .safetensors file in one; or pictures in any
            form, or `samples`.
        data: the reference: pictures, which are averaged down where they are larger by a whole factor, or an .npz with
            `mu` and `sigma` for Frechet distances. None: the pictures the run was trained on.
        metrics: names, see `metric_names`; each may state another number, as in `fid5k_full`.
        num: use this many pictures instead of what the names say; the results carry the names that say so.
        cache: folder where statistics of data sets are kept; None: the user's cache folder.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        seed: of latents, of the order of pictures, and of the metrics' own random numbers.
        batch: pictures at a time.
        mirror: take the reference mirrored, too, where a metric takes a number of pictures of it.
        control: measure real pictures against other real pictures instead: what a perfect generator would score.
        weights: name of a feature network -> its weight file, or a folder that holds it; others are looked for in the
            usual places.
        attributes: classifiers for linear separability.
        classifier: the same, as a run that trained one, a snapshot, or a .safetensors file in one.
        stats_out: write mean and covariance of the reference, in the first Frechet metric's features, to this .npz.
        progress: told about pictures made and read.

    Returns:
        One result a metric.

    Raises:
        ConfigError: an unknown metric or device, a number out of range, or a metric that cannot be measured on these.
        CheckpointError: a damaged snapshot.
        DataError: pictures that cannot be read, differ in size, or do not fit.
        ShapeError: the two sets, or generator and classifier, differ in size or channels.
        WeightsError: the weights of a feature network are missing or others; the message says where to put them.
        NonFiniteError: the generator makes NaN or infinity.
        LimnerError: `stats_out` cannot be written.
    """
    wanted = [runner.find(name, num) for name in metrics]
    if classifier is not None and not any(isinstance(metric, Separability) for metric in wanted):
        raise ConfigError(
            f"classifier: got '{classifier}', but none of {', '.join(metrics)} asks what pictures show; add ls to the "
            "metrics, or leave the classifier out"
        )
    if not wanted:
        raise ConfigError("metrics: got none, expected at least one, such as fd_lite0_5k")
    if batch < 1:
        raise ConfigError(f"batch: got {batch}, expected at least 1 picture")
    folder = default_folder() if cache is None else expand(cache)
    with _processes(select_device(device)) as (processes, place):
        team = Team(rank=processes.rank, world=processes.world, gather=gatherer(processes, place), batch=batch)
        is_reference_needed = any(m.num_real != 0 and not m.is_optional_real for m in wanted)
        with _Sets(target, data, place, seed, mirror, is_reference_needed) as sets:
            if classifier is not None and isinstance(sets.generated, GeneratorPictures):
                attributes = classifying.open_classifier(classifier, sets.generated.generator)
            networks = Networks(place, weights=weights, attributes=attributes)
            shared: dict[str, Any] = {"networks": networks, "cache": folder, "team": team}
            if control:
                if not isinstance(sets.real, DatasetPictures):
                    raise ConfigError("a control takes real pictures, got none; name them with --data")
                return runner.control(metrics, sets.real.dataset, seed=seed, num=num, progress=progress, **shared)
            results = runner.evaluate(
                metrics, sets.generated, sets.real, num=num, reference=sets.reference, progress=progress, **shared
            )
            if stats_out is not None:
                _write_stats(expand(stats_out), metrics, num, sets.real, shared)
            if attributes is None:
                return results
            return [_named(result, sets.generated, attributes, classifier) for result in results]


def _named(result: Result, generated: PictureSource, attributes: Attributes, classifier: str | Path | None) -> Result:
    """Return a result that names attributes instead of numbering them, and its classifier by its fingerprint."""
    names = {f"{result.name}/w/{index}": f"{result.name}/w/{name}" for index, name in enumerate(attributes.names)}
    if not names.keys() <= result.values.keys() or not isinstance(generated, GeneratorPictures):
        return result
    values = {names.get(key, key): value for key, value in result.values.items()}
    stamp = {} if classifier is None else {"classifier": {"fingerprint": classifying.identity(classifier)}}
    notes, kept = result.warnings, int(result.num_generated * KEPT)
    size = max(generated.generator.z_dim, generated.generator.w_dim)
    if kept < ENOUGH * size:
        least = int(ENOUGH * size / KEPT)
        notes = (
            *notes,
            f"{result.name} fits planes to {kept:,} latents of {size} numbers, which splits even random labels well; "
            f"take {least:,} pictures or more",
        )
    return replace(result, values=values, networks={**result.networks, **stamp}, warnings=notes)


def nearest(
    target: str | Path,
    out: str | Path,
    data: str | Path | None = None,
    *,
    num: int = 1000,
    rows: int = 10,
    cache: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    batch: int = BATCH,
) -> Path:
    """Show the pictures that are most like copies: a sheet of each, on the left, beside its nearest real ones.

    Pictures are near in the features of EfficientNet-Lite0, for how near real pictures are to one another there.

    Args:
        target: as for `evaluate`, like the others not named here.
        out: .png to write.
        data: as for `evaluate`.
        num: pictures that are looked at.
        rows: pictures that are shown.
        cache: as for `evaluate`.
        device: as for `evaluate`.
        seed: as for `evaluate`.
        batch: as for `evaluate`.

    Returns:
        The file.

    Raises:
        ConfigError: no real pictures, or `rows` less than 1.
        LimnerError: what `evaluate` raises, or the file cannot be written.
    """
    if rows < 1:
        raise ConfigError(f"nearest: got {rows} rows, expected at least 1")
    place = select_device(device)
    folder = default_folder() if cache is None else expand(cache)
    with _Sets(target, data, place, seed, mirror=False, is_reference_needed=True) as sets:
        if sets.real is None:
            raise ConfigError("nearest: real pictures are searched, got none; name them with --data")
        found = runner.nearest(
            sets.generated,
            sets.real,
            networks=Networks(place),
            num=num,
            rows=rows,
            columns=NEIGHBOURS,
            cache=folder,
            team=Team(batch=batch),
        )
    pictures = [to_picture(pixels.numpy()) for row in found for pixels in row]
    return save_png(grid(pictures, columns=len(found[0]), pad=2), expand(out))


def metric_names() -> tuple[str, ...]:
    """Return the names of all metrics, with the numbers of their sources."""
    return runner.known()


def write_results(results: Sequence[Result], path: str | Path, command: str = "") -> Path:
    """Write results with everything that decided them as JSON.

    Raises:
        LimnerError: the file cannot be written.
    """
    document = {"limner": __version__, "command": command, "results": [result.to_dict() for result in results]}
    place = expand(path)
    try:
        with atomic_file(place) as file:
            file.write((json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise LimnerError(f"cannot write '{place}': {error.strerror}; choose another file") from None
    return place


def gatherer(processes: distributed.Processes, device: torch.device) -> Gather:
    """Return what hands the states of all processes to each of them.

    States travel as bytes in one sum, to which every process adds zeros beside its own.
    """

    def gather(state: State) -> list[State]:
        if processes.world == 1:
            return [state]
        content = torch.frombuffer(bytearray(safetensors.torch.save(state)), dtype=torch.uint8)
        sizes = torch.zeros(processes.world, dtype=torch.int64, device=device)
        sizes[processes.rank] = len(content)
        sizes = processes.sum(sizes)
        buffer = torch.zeros(int(sizes.sum()), dtype=torch.uint8, device=device)
        start = int(sizes[: processes.rank].sum())
        buffer[start : start + len(content)] = content.to(device)
        parts = processes.sum(buffer).cpu().split(sizes.tolist())
        return [safetensors.torch.load(part.numpy().tobytes()) for part in parts]

    return gather


@contextmanager
def _processes(device: torch.device) -> Iterator[tuple[distributed.Processes, torch.device]]:
    """Join the processes a launcher started while entered, and leave them afterwards."""
    processes, place = distributed.join(device)
    try:
        yield processes, place
    finally:
        if processes.world > 1:
            distributed.leave()


class _Sets:
    """What is measured and its reference, opened while entered; the arguments are those of `evaluate`."""

    def __init__(
        self,
        target: str | Path,
        data: str | Path | None,
        device: torch.device,
        seed: int,
        mirror: bool,
        is_reference_needed: bool,
    ) -> None:
        self.reference: GivenMoments | None = None
        self.real: PictureSource | None = None
        self.generated: PictureSource
        self._opened: list[Dataset] = []
        self._seed, self._mirror = seed, mirror
        try:
            if is_checkpoint(target):
                self._open_generator(target, data, device, is_reference_needed)
            else:
                self._open_pictures(target, data)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> _Sets:
        return self

    def __exit__(self, *_: object) -> None:
        for dataset in self._opened:
            dataset.close()

    def _open_generator(
        self, target: str | Path, data: str | Path | None, device: torch.device, is_reference_needed: bool
    ) -> None:
        generator = load_generator(target, device=device)
        labels = None
        if data is None and (is_reference_needed or generator.c_dim):
            labels = self._open_own(target, generator)
        elif data is not None and not self._read_reference(data):
            labels = self._open(data, generator.img_resolution, generator.img_channels)
        self.generated = GeneratorPictures(generator, labels, device=device, seed=self._seed, name=str(target))
        if labels is not None:
            self.real = DatasetPictures(labels, seed=self._seed, mirror=self._mirror)

    def _open_own(self, target: str | Path, generator: Generator) -> Dataset:
        """Open the pictures a run was trained on, as they were shown to it."""
        config = load_config(target)
        dataset = open_dataset(
            config.data.path,
            resolution=generator.img_resolution,
            channels=generator.img_channels,
            subset=config.data.subset,
            seed=config.seed,
        )
        self._opened.append(dataset)
        return dataset

    def _open_pictures(self, target: str | Path, data: str | Path | None) -> None:
        measured = self._open(target)
        self.generated = DatasetPictures(measured, seed=self._seed)
        if data is not None and not self._read_reference(data):
            real = self._open(data, measured.resolution, measured.channels)
            self.real = DatasetPictures(real, seed=self._seed, mirror=self._mirror)

    def _read_reference(self, data: str | Path) -> bool:
        """Take `data` for the statistics of a reference when it is an .npz; say whether it is."""
        if expand(data).suffix.lower() != ".npz":
            return False
        self.reference = read_moments(expand(data))
        return True

    def _open(self, path: str | Path, resolution: Resolution | None = None, channels: int | None = None) -> Dataset:
        dataset = open_dataset(path, resolution=resolution, channels=channels)
        self._opened.append(dataset)
        return dataset


def _write_stats(
    path: Path, metrics: Sequence[str], num: int | None, real: PictureSource | None, shared: dict[str, Any]
) -> None:
    frechet = [name for name in metrics if runner.find(name).is_frechet]
    if real is None or not frechet:
        raise ConfigError(
            f"statistics are those of a reference in a Frechet metric's features, got metrics {', '.join(metrics)} and "
            f"{'no reference' if real is None else real.name}; measure fid50k_full, for example, with --data"
        )
    try:
        write_moments(path, *runner.reference_moments(frechet[0], real, num=num, **shared))
    except OSError as error:
        raise LimnerError(f"cannot write '{path}': {error.strerror}; choose another file") from None
