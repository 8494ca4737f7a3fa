"""Tensors of other programs under our names: pairs of names with what is done to the numbers, and strict loading.

TensorFlow stores matrices [in, out] and convolutions [k, k, in, out]. Some programs store the kernels of upsampling
convolutions turned by 180 degrees, and style biases without the 1 they start at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from limner.errors import CheckpointError
from limner.ops.upfirdn2d import setup_filter

FILTER = re.compile(r"(.*\.)?(resample_filter|kernel)")
"""Names of resampling filters, which are constants."""


class ForeignFile(Protocol):
    """A file of another program: `checkpoints.official.foreign.ForeignFile`."""

    @property
    def path(self) -> str:
        """For messages."""

    @property
    def layout(self) -> str:
        """Who names tensors this way."""

    @property
    def networks(self) -> Mapping[str, Any]:
        """Objects with `settings` (plain values) and `tensors` (by name), under the names of the file."""

    @property
    def extras(self) -> Mapping[str, Any]:
        """Values beside the networks."""


@dataclass(frozen=True)
class Transform:
    """Foreign tensor to ours, and back."""

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor], Tensor]
    fits: Callable[[torch.Size], bool] = lambda shape: True
    """Whether a foreign tensor of this shape can be read."""


def add_one(bias: Tensor) -> Tensor:
    """bias + 1 in single precision, added in double."""
    return (bias.double() + 1).float()


def subtract_one(bias: Tensor) -> Tensor:
    """bias - 1: in single precision where `add_one` restores every bit from it, in double elsewhere."""
    exact = bias.double() - 1
    single = exact.float()
    return single if torch.equal(add_one(single), bias) else exact


def turn(kernel: Tensor) -> Tensor:
    """A kernel [O, I, k, k] turned by 180 degrees."""
    return kernel.flip((2, 3))


COPY = Transform(lambda t: t, lambda t: t)
TRANSPOSED = Transform(lambda t: t.t(), lambda t: t.t(), lambda s: len(s) == 2)
PLUS_ONE = Transform(add_one, subtract_one)
TURNED = Transform(turn, turn, lambda s: len(s) == 4)
TF_CONV = Transform(lambda t: t.permute(3, 2, 0, 1), lambda t: t.permute(2, 3, 1, 0), lambda s: len(s) == 4)
TF_UP_CONV = Transform(
    lambda t: turn(t.permute(3, 2, 0, 1)), lambda t: turn(t).permute(2, 3, 1, 0), lambda s: len(s) == 4
)
ONE_AXIS = Transform(lambda t: t[0], lambda t: t[None], lambda s: len(s) > 1 and s[0] == 1)
TWO_AXES = Transform(lambda t: t[0, 0], lambda t: t[None, None], lambda s: len(s) > 2 and s[:2] == (1, 1))
SCALAR = Transform(lambda t: t.reshape(()), lambda t: t, lambda s: s.numel() == 1)
IN_A_LIST = Transform(lambda t: t.reshape(()), lambda t: t.reshape(1), lambda s: s.numel() == 1)
RGB_BIAS = Transform(lambda t: t.flatten(), lambda t: t[None, :, None, None])

Pair = tuple[str, str, Transform]
"""(our name, their name, transform)."""


class Renamed(Mapping[str, Tensor]):
    """Foreign tensors under our names, in our layout and in single precision, each made when it is asked for.

    Args:
        foreign: name in the file -> tensor, copied out of the file on access.
        pairs: every tensor such a network may have.
        path: of the file, for messages.
        unused: names of tensors that are of no use here.

    Raises:
        CheckpointError: a tensor of no known use; on access, one of a shape or type no such network has.
    """

    def __init__(
        self, foreign: Mapping[str, Tensor], pairs: Iterable[Pair], path: str, unused: Collection[str]
    ) -> None:
        self._foreign, self._path = foreign, path
        self._places = {ours: (theirs, transform) for ours, theirs, transform in pairs if theirs in foreign}
        for name in sorted(set(foreign) - {theirs for theirs, _ in self._places.values()}):
            if FILTER.fullmatch(name):
                check_filter(name, foreign[name], path)
            elif name not in unused:
                raise CheckpointError(
                    f"'{path}': got tensor {name[:80]!a} of shape {list(foreign[name].shape)}, which no network "
                    "here has; the file is of a changed network: use the program it comes from"
                )

    def __getitem__(self, name: str) -> Tensor:
        theirs, transform = self._places[name]
        tensor = self._foreign[theirs]
        if not transform.fits(tensor.shape) or not tensor.is_floating_point():
            raise CheckpointError(
                f"'{self._path}': tensor '{theirs}' has shape {list(tensor.shape)} and type {tensor.dtype}, which is "
                "not what such a network has; the file is of another program"
            )
        return transform.read(tensor).to(torch.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def check_filter(name: str, tensor: Tensor, path: str) -> None:
    """Raise `CheckpointError` unless a resampling filter is ours, whatever its gain."""
    ours = setup_filter()
    if tensor.shape != ours.shape or not torch.allclose(tensor.float() / tensor.float().sum(), ours, atol=1e-6):
        raise CheckpointError(
            f"'{path}': '{name}' is a resampling filter of another form than [1, 3, 3, 1], expected that; no other is "
            "implemented"
        )


@torch.no_grad()
def load_strictly(
    module: nn.Module, tensors: Mapping[str, Tensor], path: str, missing: Mapping[str, Tensor] = MappingProxyType({})
) -> None:
    """Copy tensors, and those that are known to be missing, into a network one by one, strictly by name and shape."""
    expected = module.state_dict()
    for name in dict.fromkeys((*expected, *tensors)):
        tensor = tensors.get(name, missing.get(name))
        got = "nothing" if tensor is None else list(tensor.shape)
        wanted = list(expected[name].shape) if name in expected else "nothing"
        if tensor is None or got != wanted:
            raise CheckpointError(
                f"'{path}': got {got} for what is '{name}' here, expected {wanted}; the file is of a changed network "
                "or incomplete"
            )
        expected[name].copy_(tensor)
