"""The contract of a way to find directions, and the direction itself.

A file of this folder exports `Edit`, a class in scikit-learn's habit: hyper-parameters in the constructor, `fit(...)`
learns `directions_`, best first. A direction says where it lives (z, w, w+ or the styles s), in which layers it works,
how far one standard deviation of the codes reaches along it, and to which generator it belongs; another generator is
refused. Its file is a safetensors file.

A move goes *by* a strength, wherever a code lies (InterFaceGAN's tool moves single codes *to* a distance instead).

The norm: the squared length of a vector is 1, in w+ averaged over the layers, so that a w+ vector with equal rows is
the w vector it repeats.
"""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from limner import __version__
from limner.errors import CheckpointError, ConfigError, ShapeError
from limner.papers.base import Generator
from limner.runtime import atomic_file

Space = Literal["z", "w", "w+", "s"]
"""`s`: the styles, all channels of all style layers in one vector (see `engine.styles`)."""
FORMAT = 1
"""Number of the format of direction files."""
NORM = "unit"
"""The norm of vectors in files of this format: see the module."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """A way to go in a latent space."""

    name: str
    """What it changes."""
    space: Space
    vector: Tensor
    """[z_dim], [w_dim], [num_ws, w_dim] or [S], as `space` says, of the norm the module tells."""
    deviation: float
    """Standard deviation of the generator's codes along it; a strength of 1 goes this far."""
    layers: tuple[int, ...] | None = None
    """Layers of w it works in unless others are asked for; None: all."""
    fingerprint: str = ""
    """Generator it belongs to (see `checkpoints.io.fingerprint`)."""
    source: str = ""
    """How it was found."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What was measured when it was found, such as accuracies."""

    def __post_init__(self) -> None:
        axes = 2 if self.space == "w+" else 1
        if self.space not in get_args(Space) or self.vector.ndim != axes:
            raise ShapeError(
                f"direction '{self.name}': got space '{self.space}' with a vector of {list(self.vector.shape)}, "
                "expected z [z_dim], w [w_dim], w+ [num_ws, w_dim] or s [S]"
            )

    def check(self, generator: Generator, fingerprint: str) -> None:
        """Raise `CheckpointError` unless the direction belongs to a generator of this fingerprint and fits it."""
        expected = {
            "z": (generator.z_dim,),
            "w": (generator.w_dim,),
            "w+": (generator.num_ws, generator.w_dim),
            "s": tuple(self.vector.shape),
        }
        if self.fingerprint != fingerprint or tuple(self.vector.shape) != expected[self.space]:
            raise CheckpointError(
                f"direction '{self.name}' belongs to generator {self.fingerprint or 'unknown'}, expected {fingerprint}"
                "; a direction means nothing to another generator: find it again with limner directions"
            )

    def apply(self, codes: Tensor, strength: float | Tensor, layers: Sequence[int] | None = None) -> Tensor:
        """Move codes.

        Args:
            codes: z [N, z_dim] for a direction in z, else ws [N, num_ws, w_dim].
            strength: in standard deviations: a number, or [N].
            layers: of w to move; None: the direction's own.

        Returns:
            The codes moved, in a new tensor.

        Raises:
            ConfigError: the direction is one of styles, or layers are asked for in z or do not exist.
            ShapeError: codes of another space.
        """
        if self.space == "s":
            raise ConfigError(f"direction '{self.name}' moves styles, not codes; use engine.styles.shifted")
        if codes.ndim != (2 if self.space == "z" else 3) or codes.shape[-1] != self.vector.shape[-1]:
            raise ShapeError(
                f"direction '{self.name}' in {self.space} expects codes with vectors of {self.vector.shape[-1]}, "
                f"got {list(codes.shape)}; invert into {self.space}, or edit seeds"
            )
        step = torch.as_tensor(strength, dtype=codes.dtype, device=codes.device) * self.deviation
        vector = self.vector.to(codes)
        if self.space == "z":
            if layers is not None:
                raise ConfigError(f"direction '{self.name}' is in z, which has no layers; leave --layers out")
            return codes + step.reshape(-1, 1) * vector
        chosen = self.layers if layers is None else tuple(layers)
        num_ws = codes.shape[1]
        if chosen is not None and any(not 0 <= layer < num_ws for layer in chosen):
            raise ConfigError(f"layers: got {list(chosen)}, expected 0 to {num_ws - 1}; this generator has {num_ws}")
        counts = torch.ones(num_ws, 1) if chosen is None else torch.zeros(num_ws, 1)
        counts[list(chosen or ())] = 1.0
        return codes + step.reshape(-1, 1, 1) * (vector * counts.to(codes))  # [N, num_ws, w_dim]

    def save(self, path: Path) -> Path:
        """Write a .safetensors file in one step and return its path.

        Raises:
            CheckpointError: it cannot be written.
        """
        about: dict[str, Any] = {
            "direction": self.name,
            "space": self.space,
            "norm": NORM,
            "deviation": self.deviation,
            "layers": None if self.layers is None else list(self.layers),
            "fingerprint": self.fingerprint,
            "source": self.source,
            "numbers": dict(self.numbers),
        }
        head = {"limner": __version__, "format": str(FORMAT), "name": "direction", "about": json.dumps(about)}
        vector = self.vector.detach().to("cpu", torch.float32).contiguous().clone()
        try:
            with atomic_file(path) as file:
                file.write(safetensors.torch.save({"vector": vector}, head))
        except OSError as error:
            raise CheckpointError(f"cannot write '{path}': {error.strerror or error}; choose another folder") from None
        return path

    @classmethod
    def load(cls, path: Path) -> Direction:
        """Read a file of `save`; its ending may be left out.

        Raises:
            CheckpointError: it is missing, damaged, or holds something else.
        """
        if not path.is_file():
            path = path.with_name(f"{path.name}.safetensors")
        if not path.is_file():
            raise CheckpointError(
                f"'{path}' does not exist, expected a direction that limner directions wrote; check the path"
            )
        try:
            with safe_open(path, framework="pt") as file:
                head = file.metadata() or {}
                vector = file.get_tensor("vector") if head.get("name") == "direction" else None
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"'{path}' is damaged or no direction ({error}); write it again") from None
        if vector is None or head.get("format") != str(FORMAT):
            raise CheckpointError(
                f"'{path}' holds '{head.get('name')}' of format {head.get('format')}, expected a direction of format "
                f"{FORMAT}; bring others' files in with limner directions import"
            )
        about = json.loads(head["about"])
        layers = about["layers"]
        return cls(
            name=about["direction"],
            space=about["space"],
            vector=vector,
            deviation=about["deviation"],
            layers=None if layers is None else tuple(layers),
            fingerprint=about["fingerprint"],
            source=about["source"],
            numbers=about["numbers"],
        )


class Edit(ABC):
    """A way to find directions. A subclass has a `fit` of its own, which sets `directions_` and returns the object."""

    directions_: list[Direction]
    """What `fit` found, best first."""
    name: ClassVar[str]
    """The name it is registered under."""

    @property
    def direction_(self) -> Direction:
        """The best direction."""
        return self.directions_[0]

    def apply(self, ws: Tensor, strength: float | Tensor, layers: Sequence[int] | None = None) -> Tensor:
        """Move codes along the best direction; see `Direction.apply`."""
        return self.direction_.apply(ws, strength, layers)


def unit(vector: Tensor) -> Tensor:
    """Return a vector [D], or rows [L, D], scaled to the norm the module tells.

    Raises:
        ConfigError: it is zero.
    """
    length = vector.square().sum(-1).mean().sqrt()
    if not length > 0:
        raise ConfigError("direction: got a vector of zeros, expected one that leads somewhere")
    return vector / length


def along(codes: Tensor, vector: Tensor) -> Tensor:
    """Return how far codes [N, ..., D] lie along a vector [D] or [L, D]: [N], averaged over layers."""
    products = (codes * vector.to(codes)).sum(-1)  # [N] or [N, L]
    return products if products.ndim == 1 else products.mean(1)
