"""What an inversion leaves on disk: a file a picture, the codes of all, and the record that says whose they are.

out/  codes.safetensors   latents of all pictures, in the order of inversion.json
      inversion.json      generator's fingerprint, method and settings, numbers of every picture
      found/NAME.safetensors   code, noise maps and weight delta of one picture, and its numbers
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from limner import __version__
from limner.errors import CheckpointError, ConfigError, LimnerError
from limner.latents import Latents, Space
from limner.papers.base import Generator
from limner.runtime import atomic_file

RECORD_NAME, CODES_NAME, FOLDER_NAME = "inversion.json", "codes.safetensors", "found"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found for one picture."""

    name: str
    space: Space
    code: Tensor
    """[z_dim], [w_dim] or [num_ws, w_dim], as `space` says."""
    ws: Tensor
    """[num_ws, w_dim]."""
    noises: tuple[Tensor, ...] = ()
    """[1, H, W] each; empty: the generator's own."""
    delta: Mapping[str, Tensor] = field(default_factory=dict)
    """What to add to the generator's parameters, by name; half precision on disk."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and origin, as plain values."""

    def save(self, folder: Path, job: str) -> Path:
        """Write the file of this picture in one step; `job` names everything that decided it."""
        path = folder / FOLDER_NAME / f"{self.name}.safetensors"
        tensors = {"code": self.code, "ws": self.ws}
        tensors |= {f"noise/{index}": noise for index, noise in enumerate(self.noises)}
        tensors |= {f"delta/{name}": value.half() for name, value in self.delta.items()}
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        about = {"limner": __version__, "format": str(FORMAT), "name": "found", "space": self.space, "job": job}
        try:
            with atomic_file(path) as file:
                file.write(safetensors.torch.save(plain, about | {"record": json.dumps(dict(self.record))}))
        except OSError as error:
            raise LimnerError(f"cannot write '{path}': {error.strerror}; choose another folder") from None
        return path


def load_found(folder: Path, name: str, job: str | None = None) -> Found | None:
    """Read what was found for a picture; None when there is nothing, or it is of another job than the one named.

    Raises:
        CheckpointError: the file is damaged or holds something else.
    """
    path = folder / FOLDER_NAME / f"{name}.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"'{path}' is damaged ({error}); remove it to invert this picture again") from None
    if about.get("name") != "found" or about.get("format") != str(FORMAT):
        raise CheckpointError(f"'{path}' holds no inversion of format {FORMAT}; remove it to invert this picture again")
    if job is not None and about["job"] != job:
        return None
    noises = [key for key in tensors if key.startswith("noise/")]
    space: Any = about["space"]
    return Found(
        name=name,
        space=space,
        code=tensors["code"],
        ws=tensors["ws"],
        noises=tuple(tensors[f"noise/{index}"] for index in range(len(noises))),
        delta={key.removeprefix("delta/"): value for key, value in tensors.items() if key.startswith("delta/")},
        record=json.loads(about["record"]),
    )


def save_codes(folder: Path, found: Sequence[Found], fingerprint: str) -> Path:
    """Write the codes of all pictures as one file of latents of the generator with this fingerprint."""
    return Latents(found[0].space, torch.stack([f.code for f in found]), fingerprint).save(folder / CODES_NAME)


def read_record(folder: Path) -> dict[str, Any]:
    """Read inversion.json of a folder.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    path = folder / RECORD_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CheckpointError(
            f"'{folder}' holds no finished inversion, expected {RECORD_NAME} in it; run limner invert once more"
        ) from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is not a record of format {FORMAT}; this is limner {__version__}")
    return record


def load_folder(folder: Path, generator: Generator, fingerprint: str) -> list[Found]:
    """Read everything that was found for the pictures of a folder, in its order.

    Raises:
        CheckpointError: it is no finished inversion, damaged, or of another generator.
    """
    record = read_record(folder)
    if record["fingerprint"] != fingerprint:
        raise CheckpointError(
            f"'{folder}' holds codes of generator {record['fingerprint']}, expected {fingerprint}; codes serve the "
            f"generator they were found with: {record['generator']}"
        )
    found = [load_found(folder, picture["name"]) for picture in record["pictures"]]
    missing = [p["name"] for p, f in zip(record["pictures"], found, strict=True) if f is None]
    if missing:
        raise CheckpointError(f"'{folder}' has lost the code of '{missing[0]}'; run limner invert once more")
    return [f for f in found if f is not None]


def render(generator: Generator, ws: Tensor, found: Found | None = None) -> Tensor:
    """Return the picture [1, C, H, W] of ws [1, num_ws, w_dim], with the noise maps and weights of what was found.

    The generator is as it was afterwards.
    """
    if found is None:
        with torch.no_grad():
            return generator.synthesis(ws)
    parameters = dict(generator.named_parameters())
    unknown = [name for name in found.delta if name not in parameters]
    if unknown:
        raise ConfigError(f"'{found.name}' tunes parameter '{unknown[0]}', which this generator does not have")
    originals = {name: parameters[name].detach().clone() for name in found.delta}
    noises = [noise[None].to(ws) for noise in found.noises] or None
    with torch.no_grad():
        try:
            for name, value in found.delta.items():
                parameters[name].add_(value.to(parameters[name]))
            return generator.synthesis(ws, noises=noises)
        finally:
            for name, value in originals.items():
                parameters[name].copy_(value)
