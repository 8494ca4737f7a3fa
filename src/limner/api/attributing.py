"""Was this picture made by this generator? Projection distances, and how well they tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limner import __version__
from limner.api.generation import Label, Progress
from limner.api.inverting import open_generator
from limner.api.pictures import Entry, named_pictures, read_picture
from limner.data.decode import PictureError
from limner.errors import CheckpointError, ConfigError, DataError
from limner.inversion import project
from limner.inversion.base import Step
from limner.inversion.engine.attribution import Estimate, at_least, calibrate, threshold
from limner.inversion.engine.quality import quality
from limner.inversion.engine.terms import load_network
from limner.papers.base import Generator
from limner.runtime import expand, write_text

FORMAT = 1
"""Number of the format of reference files."""


@dataclass(frozen=True, kw_only=True)
class AttributeRequest:
    """How to project."""

    steps: int = 1000
    """Updates of the projector."""
    perceptual: str = "auto"
    """See `InvertRequest`; with `none`, distances are mean squared errors."""
    batch: int = 8
    """Pictures at a time."""
    label: Label = None
    """Class or label vector, for a conditional generator."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What is known of one picture."""

    name: str
    distance: float
    """From its projection."""
    p_generated: float | None
    """Share of the generator's own pictures that are as far or farther; None without a reference."""
    is_generated: bool | None
    """Whether it is nearer than 99 % of the real pictures; None without a reference."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well distances tell generated from real pictures."""

    path: Path
    estimates: dict[str, Estimate]
    num_generated: int
    num_real: int


class _Projector:
    """Distances of pictures from their projections."""

    def __init__(self, checkpoint: str | Path, request: AttributeRequest, device: str) -> None:
        if request.batch < 1:
            raise ConfigError(f"batch: got {request.batch}, expected at least 1 picture")
        self.generator, self.identity = open_generator(checkpoint, device)
        self.network = load_network(request.perceptual, self.generator.w_avg.device)
        self.method = project.Method(project.Config(steps=request.steps), perceptual=self.network)
        self.c = self.generator.label_vector(request.label)
        self.label = request.label
        self.measure = "mse" if self.network is None else self.network.name
        self.settings = {"fingerprint": self.identity, "steps": request.steps, "network": self.measure}

    def distances(self, images: Tensor, on_step: Callable[[Step], None]) -> list[float]:
        """Return the distance of each picture [N, C, H, W]."""
        images = images.to(self.generator.w_avg)
        made = self.method.invert(self.generator, images, c=self.c, on_step=on_step)
        numbers: list[float] = quality(made.images, images, None, self.network)[self.measure].tolist()
        return numbers


def attribute(
    checkpoint: str | Path,
    pictures: Sequence[str | Path],
    request: AttributeRequest | None = None,
    *,
    reference: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[Attribution]:
    """Project pictures and say how far each is from its projection.

    Args:
        checkpoint: see `load`.
        pictures: files, folders or zips.
        request: how to project; with a reference, as the reference was.
        reference: file of `calibrate_attribution` for the same generator; None: distances alone.
        device: see `load`.
        progress: called with (steps done, steps in all).

    Raises:
        CheckpointError: see `load`; or a reference that is damaged or of another generator or other settings.
        DataError: no picture, or one that cannot be read.
        WeightsError: the perceptual network's weights are not on this machine.
    """
    request = request or AttributeRequest()
    projector = _Projector(checkpoint, request, device)
    record = None if reference is None else _read_reference(expand(reference), projector)
    with named_pictures(pictures) as entries:
        images = [_read(entry, projector.generator) for entry in entries]
        names = [entry.name for entry in entries]
    distances: list[float] = []
    for batch, on_step in _batches(images, request, progress):
        distances += projector.distances(torch.stack(batch), on_step)
    if record is None:
        return [
            Attribution(name=name, distance=distance, p_generated=None, is_generated=None)
            for name, distance in zip(names, distances, strict=True)
        ]
    generated, real = (np.array(list(record[key].values())) for key in ("generated", "real"))
    return [
        Attribution(
            name=name,
            distance=distance,
            p_generated=at_least(generated, distance),
            is_generated=distance < threshold(real),
        )
        for name, distance in zip(names, distances, strict=True)
    ]


def calibrate_attribution(
    checkpoint: str | Path,
    real: Sequence[str | Path],
    out: str | Path,
    request: AttributeRequest | None = None,
    *,
    num: int = 50,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Calibration:
    """Project pictures of the generator and real ones, and write their distances and how well they tell.

    Generated pictures are those of seeds 0, 1, ..., without truncation, with noise drawn from the seed. Running it
    again does what is not done yet.

    Args:
        checkpoint: see `load`.
        real: real pictures the generator was not trained on: files, folders or zips; the first `num` are taken.
        out: .json file.
        request: how to project.
        num: pictures of either kind.
        device: see `load`.
        command: recorded in the file.
        progress: called with (steps done, steps in all).

    Raises:
        CheckpointError: see `load`.
        ConfigError: fewer than two pictures.
        DataError: no picture, or one that cannot be read.
        LimnerError: the file cannot be written.
    """
    request = request or AttributeRequest()
    projector = _Projector(checkpoint, request, device)
    path = expand(out)
    record: dict[str, Any] = {"generated": {}, "real": {}}
    if path.is_file():
        record = _read_reference(path, projector)
    head = {"limner": __version__, "format": FORMAT, "command": command, **projector.settings}
    with named_pictures(real) as entries:
        waiting = [("generated", str(seed)) for seed in range(num) if str(seed) not in record["generated"]]
        by_name = {entry.name: entry for entry in entries[:num]}
        waiting += [("real", name) for name in by_name if name not in record["real"]]
        for batch, on_step in _batches(waiting, request, progress):
            images = [
                _generated(projector, int(name)) if kind == "generated" else _read(by_name[name], projector.generator)
                for kind, name in batch
            ]
            for (kind, name), distance in zip(batch, projector.distances(torch.stack(images), on_step), strict=True):
                record[kind][name] = distance
            write_text(path, json.dumps({**head, **record}, indent=2) + "\n")
        chosen = [record["real"][name] for name in by_name]
    generated = np.array([record["generated"][str(seed)] for seed in range(num)])
    estimates = calibrate(generated, np.array(chosen))
    shown = {name: asdict(estimate) for name, estimate in estimates.items()}
    write_text(path, json.dumps({**head, "estimates": shown, **record}, indent=2) + "\n")
    return Calibration(path=path, estimates=estimates, num_generated=num, num_real=len(chosen))


def _batches(
    items: Sequence[Any], request: AttributeRequest, progress: Progress | None
) -> Iterator[tuple[list[Any], Callable[[Step], None]]]:
    """Yield the items in batches, each with a function to be told of its steps."""
    for first in range(0, len(items), request.batch):
        batch = list(items[first : first + request.batch])

        def on_step(step: Step, first: int = first, count: int = len(batch)) -> None:
            if progress:
                steps = step.total + 1
                progress(first * steps + (step.number + 1) * count, len(items) * steps)

        yield batch, on_step


@torch.no_grad()
def _generated(projector: _Projector, seed: int) -> Tensor:
    """Return the picture [C, H, W] of a seed with its own noise, as an 8-bit file holds it."""
    generator = projector.generator
    ws = generator.seed_to_ws(seed, label=projector.label)
    image = generator.synthesis(ws, **generator.noise_arguments("random", seed))[0].cpu()
    return (image * 127.5 + 128).clamp(0, 255).byte() / 127.5 - 1


def _read(entry: Entry, generator: Generator) -> Tensor:
    try:
        return read_picture(entry, generator)[0]
    except PictureError as error:
        raise DataError(f"'{entry.source}' cannot be read: {error}; leave it out") from None


def _read_reference(path: Path, projector: _Projector) -> dict[str, Any]:
    """Return the distances of a file of `calibrate_attribution`, after comparing its settings."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"reference '{path}' cannot be read ({error}); write it with --calibrate") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT or "generated" not in record:
        raise CheckpointError(f"'{path}' is no reference of format {FORMAT}; write it with --calibrate")
    for key, expected in projector.settings.items():
        if record.get(key) != expected:
            raise CheckpointError(
                f"reference '{path}' has {key} {record.get(key)}, expected {expected}; distances compare with those of "
                "one generator, network and number of steps alone"
            )
    return {key: record[key] for key in ("generated", "real")}
