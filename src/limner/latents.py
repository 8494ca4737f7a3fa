"""Latents: from seeds, in files, and along closed walks.

A seed is a contract shared with the field's tools: z = numpy.random.RandomState(seed).randn(1, z_dim), a stream NumPy
has frozen, so a seed names the same z on every machine and forever.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from limner import __version__
from limner.errors import CheckpointError, ConfigError, ShapeError, closest
from limner.papers.base import Generator, seed_to_noises, seed_to_z
from limner.runtime import atomic_file

Space = Literal["z", "w", "w+"]
"""z [N, z_dim]; w [N, w_dim], one vector for all layers; w+ [N, num_ws, w_dim], one a layer."""
Mode = Literal["lerp", "slerp", "cubic"]

NUM_SEEDS = 2**32
"""Seeds are 0 .. NUM_SEEDS - 1, what RandomState takes."""
MAX_LISTED = 1_000_000
"""Most seeds one list may name."""
FORMAT = 1
"""Number of the format of latent files."""


def parse_seeds(text: str) -> list[int]:
    """Return the seeds named by a list of numbers and ranges: ``0-3,7`` is [0, 1, 2, 3, 7].

    Raises:
        ConfigError: the text is anything else, a range runs backwards, or a seed or their number is too large.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not (first.isdecimal() and first.isascii()) or (dash and not (last.isdecimal() and last.isascii())):
            raise ConfigError(f"seeds: got '{text}', expected numbers and ranges such as 0-3,7")
        start, stop = int(first), int(last or first)
        if stop < start:
            raise ConfigError(f"seeds: got the range '{part.strip()}', expected it to rise; write {stop}-{start}")
        if stop >= NUM_SEEDS:
            raise ConfigError(f"seeds: got {stop}, expected at most {NUM_SEEDS - 1}")
        if len(seeds) + stop - start + 1 > MAX_LISTED:
            raise ConfigError(f"seeds: got more than {MAX_LISTED} in '{text}'; ask for fewer at a time")
        seeds.extend(range(start, stop + 1))
    return seeds


def seeds_to_z(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Return z [N, z_dim] float32 on the CPU, row i from `seeds[i]` alone (see `papers.base.seed_to_z`)."""
    return torch.cat([torch.zeros(0, z_dim), *(seed_to_z(seed, z_dim) for seed in seeds)])


def seeds_to_noises(generator: Generator, seeds: Sequence[int]) -> list[Tensor]:
    """Return noise maps [N, 1, H, W] float32 for every layer of `generator`, sample i from `seeds[i]` alone.

    See `papers.base.seed_to_noises`.
    """
    shapes = generator.noise_shapes
    samples = [seed_to_noises(seed, generator.z_dim, shapes) for seed in seeds]
    return [torch.cat([torch.zeros(0, 1, *shape), *maps]) for shape, *maps in zip(shapes, *samples, strict=True)]


@dataclass(frozen=True)
class Latents:
    """Latents of N samples in a named space."""

    space: Space
    values: Tensor
    """[N, z_dim], [N, w_dim] or [N, num_ws, w_dim] float, as `space` says."""
    fingerprint: str = ""
    """Generator they were found with (see `checkpoints.io.fingerprint`); empty: unknown."""

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise ConfigError(f"latents: got space '{self.space}', expected one of {', '.join(get_args(Space))}")
        axes = 3 if self.space == "w+" else 2
        if self.values.ndim != axes or not self.values.is_floating_point():
            names = "[N, num_ws, w_dim]" if axes == 3 else f"[N, {self.space}_dim]"
            raise ShapeError(
                f"latents in {self.space}: got {self.values.dtype} of {list(self.values.shape)}, expected float {names}"
            )

    def save(self, path: Path) -> Path:
        """Write a .safetensors file in one step and return its path.

        Raises:
            ConfigError: the path ends in something else.
            CheckpointError: the file cannot be written.
        """
        if path.suffix != ".safetensors":
            raise ConfigError(f"latents: got '{path.name}', expected a name ending in .safetensors")
        values = self.values.detach().to("cpu", torch.float32).contiguous().clone()
        metadata = {"limner": __version__, "format": str(FORMAT), "name": "latents", "space": self.space}
        if self.fingerprint:
            metadata["fingerprint"] = self.fingerprint
        try:
            with atomic_file(path) as file:
                file.write(safetensors.torch.save({"values": values}, metadata))
        except OSError as error:
            raise CheckpointError(
                f"cannot write '{path}': {error.strerror or error}; free space or choose another folder"
            ) from None
        return path

    @classmethod
    def load(cls, path: Path) -> Latents:
        """Read a .safetensors file of `save`, or an .npz file with an array `w`: a projection by the official tools.

        Raises:
            CheckpointError: the file is missing, damaged, or holds something else.
        """
        if not path.is_file():
            raise CheckpointError(f"'{path}' does not exist, expected a latents file; check the path")
        if path.suffix == ".npz":
            return cls._load_npz(path)
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                values = file.get_tensor("values") if about.get("name") == "latents" else None
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"'{path}' is damaged or no latents file ({error}), expected .safetensors or .npz; copy it again"
            ) from None
        if values is None or about.get("format") != str(FORMAT) or about.get("space") not in get_args(Space):
            raise CheckpointError(
                f"'{path}' holds '{about.get('name')}' of format {about.get('format')}, "
                f"expected latents of format {FORMAT}; this is limner {__version__}"
            )
        return cls(about["space"], values, about.get("fingerprint", ""))

    @classmethod
    def _load_npz(cls, path: Path) -> Latents:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                names, values = arrays.files, arrays["w"] if "w" in arrays.files else None
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"'{path}' is damaged or no .npz file ({error}); copy it again") from None
        if values is None or values.ndim != 3 or values.dtype.kind != "f":
            got = f"arrays {', '.join(names)}" if values is None else f"w {values.dtype} of {list(values.shape)}"
            raise CheckpointError(f"'{path}' holds {got}, expected w of [N, num_ws, w_dim] as a projector writes it")
        return cls("w+", torch.from_numpy(values.astype(np.float32)))


def walk(keys: Tensor, frames_per_key: int, mode: Mode) -> Iterator[Tensor]:
    """Yield the points of a closed walk through `keys`, evenly spaced between one key and the next.

    Every key is met exactly, frame k * frames_per_key being keys[k]; after the last key the walk returns to the first.

    Args:
        keys: [K, ...] float; the last axis is the vector `slerp` turns.
        frames_per_key: frames from a key to the next; K * frames_per_key in all.
        mode: `lerp`: straight lines (for W). `slerp`: directions turn at constant speed (Shoemake 1985) while norms
            change linearly (for Z, whose norms concentrate). `cubic`: the periodic cubic spline, also smooth at keys.

    Raises:
        ConfigError: unknown mode or frames_per_key less than 1.
        ShapeError: no key.
    """
    if mode not in get_args(Mode):
        raise ConfigError(
            f"walk: got mode '{mode}', expected one of {', '.join(get_args(Mode))}.{closest(mode, get_args(Mode))}"
        )
    if frames_per_key < 1:
        raise ConfigError(f"walk: got {frames_per_key} frames a key, expected at least 1")
    if keys.ndim < 2 or keys.shape[0] < 1:
        raise ShapeError(f"walk: got keys of {list(keys.shape)}, expected [K, ...] with at least one key")
    return _points(keys, frames_per_key, mode)


def _points(keys: Tensor, frames_per_key: int, mode: Mode) -> Iterator[Tensor]:
    exact = keys.detach().to("cpu", torch.float64)
    slopes = _periodic_slopes(exact) if mode == "cubic" else None
    for k in range(len(exact)):
        following = (k + 1) % len(exact)
        yield keys[k].detach().clone()
        for step in range(1, frames_per_key):
            t = step / frames_per_key
            if slopes is not None:
                point = _hermite(exact[k], exact[following], slopes[k], slopes[following], t)
            elif mode == "slerp":
                point = _slerp(exact[k], exact[following], t)
            else:
                point = torch.lerp(exact[k], exact[following], t)
            yield point.to(keys)


def _slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Turn the direction of a [..., D] towards b's and interpolate the norms; parallel vectors are interpolated."""
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = a / norm_a.clamp_min(1e-12), b / norm_b.clamp_min(1e-12)
    angle = torch.acos((unit_a * unit_b).sum(dim=-1, keepdim=True).clamp(-1, 1))  # [..., 1]
    sine = angle.sin()
    turned = (torch.sin((1 - t) * angle) * unit_a + torch.sin(t * angle) * unit_b) / sine.clamp_min(1e-12)
    direction = torch.where(sine < 1e-6, torch.lerp(unit_a, unit_b, t), turned)
    return direction * torch.lerp(norm_a, norm_b, t)


def _periodic_slopes(keys: Tensor) -> Tensor:
    """Return the derivative [K, ...] at each key of the periodic cubic spline with unit spacing.

    A continuous second derivative asks for m[k-1] + 4 m[k] + m[k+1] = 3 (y[k+1] - y[k-1]), indices modulo K.
    """
    count = len(keys)
    eye = torch.eye(count, dtype=keys.dtype)
    matrix = 4 * eye + eye.roll(1, dims=1) + eye.roll(-1, dims=1)
    right = 3 * (keys.roll(-1, dims=0) - keys.roll(1, dims=0))
    return torch.linalg.solve(matrix, right.reshape(count, -1)).view_as(keys)


def _hermite(a: Tensor, b: Tensor, slope_a: Tensor, slope_b: Tensor, t: float) -> Tensor:
    """Return the cubic that has values a, b and slopes slope_a, slope_b at 0 and 1, at t."""
    s = 1 - t
    return s * s * (1 + 2 * t) * a + t * t * (1 + 2 * s) * b + t * s * (s * slope_a - t * slope_b)
