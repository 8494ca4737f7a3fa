"""What is done to the tensors of StyleGAN2 when they go under our names, and back.

Source: `layouts` says which program stores what how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from limner.errors import CheckpointError
from limner.ops import renaming
from limner.ops.renaming import turn
from limner.ops.upfirdn2d import setup_filter


class ForeignFile(renaming.ForeignFile, Protocol):
    """A file of another program."""

    @property
    def extras(self) -> Mapping[str, Any]:
        """Values beside the networks."""


@dataclass(frozen=True)
class Transform(renaming.Transform):
    """Foreign tensor to ours, and back."""

    write: Callable[[Tensor], Tensor] = lambda tensor: tensor


Pair = tuple[str, str, Transform]
"""(our name, their name, transform)."""


def add_one(bias: Tensor) -> Tensor:
    """bias + 1 in single precision, added in double."""
    return (bias.double() + 1).float()


def subtract_one(bias: Tensor) -> Tensor:
    """bias - 1: in single precision where `add_one` restores every bit from it, in double elsewhere."""
    exact = bias.double() - 1
    single = exact.float()
    return single if torch.equal(add_one(single), bias) else exact


def _with(known: renaming.Transform, write: Callable[[Tensor], Tensor]) -> Transform:
    return Transform(known.read, known.fits, write)


COPY = Transform(lambda t: t)
TRANSPOSED = _with(renaming.TRANSPOSED, lambda t: t.t())
PLUS_ONE = Transform(add_one, write=subtract_one)
TURNED = _with(renaming.TURNED_CONV, turn)
TF_CONV = _with(renaming.TF_CONV, lambda t: t.permute(2, 3, 1, 0))
TF_UP_CONV = _with(renaming.TF_TURNED_CONV, lambda t: turn(t).permute(2, 3, 1, 0))
ONE_AXIS = _with(renaming.ONE_AXIS, lambda t: t[None])
TWO_AXES = _with(renaming.TWO_AXES, lambda t: t[None, None])
SCALAR = Transform(lambda t: t.reshape(()), lambda shape: shape.numel() == 1)
IN_A_LIST = _with(SCALAR, lambda t: t.reshape(1))
RGB_BIAS = Transform(lambda t: t.flatten(), write=lambda t: t[None, :, None, None])


def check_filter(name: str, tensor: Tensor, path: str) -> None:
    """Raise `CheckpointError` unless a resampling filter is ours, whatever its gain."""
    ours = setup_filter()
    if tensor.shape != ours.shape or not torch.allclose(tensor.float() / tensor.float().sum(), ours, atol=1e-6):
        raise CheckpointError(
            f"'{path}': '{name}' is a resampling filter of another form than [1, 3, 3, 1], expected that; no other is "
            "implemented"
        )
