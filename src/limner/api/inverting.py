"""Real pictures into latents: a folder of codes, reconstructions, numbers and a page."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner import __version__, registry
from limner.api.found import FOLDER_NAME, FORMAT, RECORD_NAME, Found, load_found, save_codes
from limner.api.generation import Label, Progress, load, record_command
from limner.api.inversion_page import PAGE_NAME, render_page
from limner.api.pictures import Entry, named_pictures, read_mask, read_picture
from limner.checkpoints.io import find_snapshot, fingerprint, load_config
from limner.checkpoints.networks import load_encoder
from limner.config import from_dict, to_dict
from limner.data.decode import PictureError
from limner.errors import CheckpointError, ConfigError, DataError, closest
from limner.images import save_png, strip, to_pil
from limner.inversion.base import Inversion, Method, Step
from limner.inversion.engine.quality import quality
from limner.inversion.engine.terms import load_network
from limner.papers.base import Encoder, Generator
from limner.runtime import expand, write_text

MARKS = (0.0, 0.05, 0.2, 0.5)
"""Shares of the steps whose pictures the strips of progress show."""


@dataclass(frozen=True, kw_only=True)
class InvertRequest:
    """How to invert."""

    method: str = "optimise"
    """`encoder`, `optimise`, `in-domain`, `project` or `pti`."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of the method's `Config`."""
    encoder: str | Path | None = None
    """Snapshot with an encoder; None: the checkpoint's own, if it has one."""
    perceptual: str = "auto"
    """`lpips`, `stlpips`, `none`, or `auto`: the first of the two that is on this machine."""
    mask: str | Path | None = None
    """Picture whose white counts, for all pictures; None: all counts."""
    label: Label = None
    """Class or label vector of all pictures, for a conditional generator."""
    batch: int = 8
    """Pictures at a time."""


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """What `invert` made."""

    folder: Path
    page: Path
    codes: Path
    found: list[Found]
    """In the order of the pictures, without noise maps and weights; `found.load_found` reads them."""
    numbers: dict[str, float]
    """Means over the pictures."""
    num_resumed: int
    """Pictures that were done before."""
    skipped: dict[str, str]
    """Picture that could not be read -> why."""
    remarks: tuple[str, ...]
    """Sentences on what was done to pictures."""


def invert(
    checkpoint: str | Path,
    pictures: Sequence[str | Path],
    out: str | Path,
    request: InvertRequest | None = None,
    *,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Inverted:
    """Find the latents of pictures, and write them to a folder with all there is to see.

    The folder gets codes.safetensors, inversion.json, invert.html, and for every picture `originals`,
    `reconstructions`, `progress` and `found`. Running it again does what is not done yet.

    Args:
        checkpoint: see `load`.
        pictures: files, folders or zips; other sizes are cut around the centre and resized.
        out: folder; made when missing.
        request: how; None: by free optimisation.
        device: see `load`.
        command: recorded in `command.txt` when given.
        progress: called with (steps done, steps in all), over all pictures.

    Raises:
        CheckpointError: see `load`; or the encoder is missing, damaged or of another generator.
        ConfigError: an unknown method or setting, no picture, an empty mask, or a label that does not fit.
        DataError: no picture can be read.
        WeightsError: the perceptual network's weights are not on this machine.
        LimnerError: a file cannot be written.
    """
    request = request or InvertRequest()
    if request.batch < 1:
        raise ConfigError(f"batch: got {request.batch}, expected at least 1 picture")
    generator, identity = open_generator(checkpoint, device)
    method = build_method(request, checkpoint, generator, identity)
    masks = None if request.mask is None else read_mask(request.mask, generator)[None].to(generator.w_avg)
    about = {
        "limner": __version__,
        "format": FORMAT,
        "command": command,
        "generator": str(expand(checkpoint)),
        "fingerprint": identity,
        "method": method.name,
        "settings": to_dict(method.config),
        "encoder": str(request.encoder) if method.encoder is not None and request.encoder else None,
        "perceptual": method.perceptual.name if method.perceptual is not None else "none",
    }
    with named_pictures(pictures) as entries:
        job = _Job(generator, method, masks, generator.label_vector(request.label), expand(out), about, progress)
        job.work(entries, request.batch)
    numbers = job.finish()
    record_command(job.folder, command)
    return Inverted(
        folder=job.folder,
        page=job.folder / PAGE_NAME,
        codes=job.folder / "codes.safetensors",
        found=list(job.found.values()),
        numbers=numbers,
        num_resumed=job.num_resumed,
        skipped=job.skipped,
        remarks=tuple(job.remarks),
    )


def open_generator(checkpoint: str | Path, device: str = "auto") -> tuple[Generator, str]:
    """Load a generator and say which it is (see `checkpoints.io.fingerprint`); warn of one that is still growing."""
    generator = load(checkpoint, device)
    if generator.lod:
        warnings.warn(
            f"'{checkpoint}' is still growing (level of detail {generator.lod:g}): codes and directions serve this "
            "snapshot alone",
            stacklevel=2,
        )
    tensors = {name: tensor.cpu().contiguous() for name, tensor in generator.state_dict().items()}
    return generator, fingerprint(load_config(find_snapshot(checkpoint)), tensors)


def open_encoder(
    encoder: str | Path | None, checkpoint: str | Path, generator: Generator, identity: str
) -> Encoder | None:
    """Load an encoder for a generator; of None, the one beside the generator, if there is one.

    Raises:
        CheckpointError: it is missing, damaged, or of another generator.
    """
    path = encoder
    if path is None:
        if load_config(find_snapshot(checkpoint)).encoder is None:
            return None
        path = checkpoint
    loaded = load_encoder(path, generator.w_avg.device)
    if loaded.fingerprint != identity:
        raise CheckpointError(
            f"'{path}' holds an encoder of generator {loaded.fingerprint}, expected one of {identity}; an encoder "
            "serves the generator it was trained for: give that one, or leave --encoder out"
        )
    return loaded


def build_method(request: InvertRequest, checkpoint: str | Path, generator: Generator, identity: str) -> Method:
    """Build the method a request asks for, with its networks.

    Raises:
        ConfigError: an unknown method or setting, or an encoder that is needed and not there.
    """
    name = request.method.replace("-", "_")
    known = registry.names("inversion")
    if name not in known:
        shown = ", ".join(n.replace("_", "-") for n in known)
        raise ConfigError(f"method: got '{request.method}', expected one of {shown}.{closest(name, known)}")
    part = registry.get("inversion", name)
    fields = [field.name for field in dataclasses.fields(part.Config)]
    foreign = [key for key in request.settings if key not in fields]
    if foreign:
        takes = ", ".join(fields) or "no settings"
        raise ConfigError(f"method '{request.method}' has no setting '{foreign[0]}', it takes {takes}; leave it out")
    method: Method = part.Method(
        from_dict(part.Config, dict(request.settings), name),
        encoder=open_encoder(request.encoder, checkpoint, generator, identity),
        perceptual=load_network(request.perceptual, generator.w_avg.device),
    )
    return method


class _Job:
    """The pictures of one `invert`, batch by batch."""

    def __init__(
        self,
        generator: Generator,
        method: Method,
        masks: Tensor | None,
        c: Tensor | None,
        folder: Path,
        about: Mapping[str, Any],
        progress: Progress | None,
    ) -> None:
        self.generator, self.method, self.masks, self.c, self.folder = generator, method, masks, c, folder
        self.about, self.progress = about, progress
        self.found: dict[str, Found] = {}
        self.skipped: dict[str, str] = {}
        self.remarks: list[str] = []
        self.num_resumed = 0
        self._total = 0
        self._key_start = hashlib.sha256(json.dumps(decisive(about, method), sort_keys=True).encode())

    def work(self, entries: Sequence[Entry], batch: int) -> None:
        """Invert what is not done yet."""
        waiting: list[tuple[Entry, Tensor, str]] = []
        self._total, num_replaced = len(entries), 0
        order = [entry.name for entry in entries]
        for entry in entries:
            try:
                image, remark = read_picture(entry, self.generator)
            except PictureError as error:
                self.skipped[entry.name] = str(error)
                continue
            self.remarks += [remark] if remark else []
            key = self._key(image)
            done = load_found(self.folder, entry.name, key)
            if done is not None:
                self.found[entry.name] = _light(done)
                self.num_resumed += 1
                continue
            num_replaced += (self.folder / FOLDER_NAME / f"{entry.name}.safetensors").is_file()
            waiting.append((entry, image, key))
            if len(waiting) == batch:
                self._invert(waiting)
                waiting = []
        if waiting:
            self._invert(waiting)
        if num_replaced:
            self.remarks.append(
                f"'{self.folder}' held {num_replaced} of these pictures found with other settings or networks: "
                "they were replaced; another --out keeps both"
            )
        if not self.found:
            name, reason = next(iter(self.skipped.items()))
            raise DataError(f"no picture can be read, such as '{name}': {reason}; check what the files hold")
        self.found = {name: self.found[name] for name in order if name in self.found}

    def _key(self, image: Tensor) -> str:
        """Name everything that decides the result for a picture."""
        digest = self._key_start.copy()
        for tensor in (image, self.masks, self.c):
            digest.update(b"none" if tensor is None else tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]

    def _invert(self, waiting: Sequence[tuple[Entry, Tensor, str]]) -> None:
        images = torch.stack([image for _, image, _ in waiting]).to(self.generator.w_avg)
        strips: list[dict[int, Image.Image]] = [{} for _ in waiting]
        steps_seen, before = 0, len(self.found) + len(self.skipped)

        def on_step(step: Step) -> None:
            nonlocal steps_seen
            steps_seen += len(step.images)
            marks = {round(share * step.total) for share in MARKS}
            if step.number in marks:
                for place, picture in enumerate(to_pil(step.images), step.first):
                    strips[place][step.number] = picture
            if self.progress:
                steps = step.total + 1
                done = before * steps + min(steps_seen, len(waiting) * steps)
                self.progress(done, self._total * steps)

        started = time.monotonic()
        inversion = self.method.invert(self.generator, images, masks=self.masks, c=self.c, on_step=on_step)
        seconds = (time.monotonic() - started) / len(waiting)
        masks = None if self.masks is None else self.masks.expand(len(images), -1, -1, -1)
        numbers = quality(inversion.images, images, masks, self.method.perceptual)
        for place, (entry, image, key) in enumerate(waiting):
            found = _found(entry, inversion, place, {name: number[place].item() for name, number in numbers.items()})
            found = dataclasses.replace(found, record={**found.record, "seconds": seconds, **inversion.stamp})
            self._write_pictures(entry.name, image, inversion.images[place], strips[place], found)
            found.save(self.folder, key)
            self.found[entry.name] = _light(found)

    def _write_pictures(
        self, name: str, image: Tensor, made: Tensor, stages: Mapping[int, Image.Image], found: Found
    ) -> None:
        original, reconstruction = to_pil(torch.stack([image, made.cpu()]))
        save_png(original, self.folder / "originals" / f"{name}.png")
        save_png(reconstruction, self.folder / "reconstructions" / f"{name}.png")
        captions = ["picture", *(f"step {number}" for number in stages), f"kept: {found.record['kept_step']}"]
        save_png(
            strip([original, *stages.values(), reconstruction], captions), self.folder / "progress" / f"{name}.png"
        )

    def finish(self) -> dict[str, float]:
        """Write the codes, the record and the page; return the means of the numbers."""
        found = list(self.found.values())
        save_codes(self.folder, found, self.about["fingerprint"])
        names = list(found[0].record["numbers"])
        means = {name: sum(f.record["numbers"][name] for f in found) / len(found) for name in names}
        pictures = [{"name": f.name, **f.record} for f in found]
        record = {**self.about, "space": found[0].space, "means": means, "skipped": self.skipped, "pictures": pictures}
        write_text(self.folder / RECORD_NAME, json.dumps(record, indent=2) + "\n")
        write_text(self.folder / PAGE_NAME, render_page(record))
        return means


def decisive(about: Mapping[str, Any], method: Method) -> dict[str, Any]:
    """Return what decides the code of a picture besides the picture, as plain values."""
    shared = {key: about[key] for key in ("fingerprint", "method", "settings", "perceptual")}
    return shared | {"encoder": weights_digest(method.encoder)}


def weights_digest(encoder: Encoder | None) -> str:
    """Return the sha256 of an encoder's tensors; of nothing without one."""
    weights = hashlib.sha256()
    if encoder is not None:
        for tensor in encoder.state_dict().values():
            weights.update(tensor.cpu().contiguous().numpy().tobytes())
    return weights.hexdigest()


def _found(entry: Entry, inversion: Inversion, place: int, numbers: Mapping[str, float]) -> Found:
    """Return what a batch found for the picture at `place`."""
    return Found(
        name=entry.name,
        space=inversion.latents.space,
        code=inversion.latents.values[place].detach().cpu(),
        ws=inversion.ws[place].detach().cpu(),
        noises=tuple(noise[place].cpu() for noise in inversion.noises),
        delta=inversion.deltas[place] if inversion.deltas else {},
        record={
            "source": entry.source,
            "kept_step": int(inversion.kept_step[place]),
            "numbers": dict(numbers),
            "losses": {name: loss[place].item() for name, loss in inversion.losses.items()},
        },
    )


def _light(found: Found) -> Found:
    """Return what was found without what is large: noise maps and weights."""
    return dataclasses.replace(found, noises=(), delta={})
