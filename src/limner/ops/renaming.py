"""Tensors of other programs under our names: what is done to each, and copying them strictly into a network.

Sources: TensorFlow stores matrices [in, out] and convolutions [k, k, in, out]; merged kernels of doubling convolutions
are applied transposed, which turns the kernel they are made of by 180 degrees (see `resample_conv`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from limner.errors import CheckpointError


class ForeignNetwork(Protocol):
    """A network of another program: `checkpoints.official.foreign.ForeignNetwork`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it was built with, as plain values."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """By name in the file."""


class ForeignFile(Protocol):
    """A file of another program: `checkpoints.official.foreign.ForeignFile`."""

    @property
    def path(self) -> str:
        """For messages."""

    @property
    def layout(self) -> str:
        """Who names tensors this way."""

    @property
    def networks(self) -> Mapping[str, ForeignNetwork]:
        """Under the names of the file."""


@dataclass(frozen=True)
class Transform:
    """Foreign tensor to ours."""

    read: Callable[[Tensor], Tensor]
    fits: Callable[[torch.Size], bool] = lambda shape: True
    """Whether a foreign tensor of this shape can be read."""

    def then(self, step: Callable[[Tensor], Tensor]) -> Transform:
        """This transform and a step after it."""
        return Transform(lambda t: step(self.read(t)), self.fits)


def turn(kernel: Tensor) -> Tensor:
    """A kernel [O, I, k, k] turned by 180 degrees."""
    return kernel.flip((2, 3))


COPY = Transform(lambda t: t)
TRANSPOSED = Transform(lambda t: t.t(), lambda s: len(s) == 2)
CONV = Transform(lambda t: t, lambda s: len(s) == 4)
TURNED_CONV = CONV.then(turn)
TF_CONV = Transform(lambda t: t.permute(3, 2, 0, 1), lambda s: len(s) == 4)
TF_TURNED_CONV = TF_CONV.then(turn)
ONE_AXIS = Transform(lambda t: t[0], lambda s: len(s) > 1 and s[0] == 1)
TWO_AXES = Transform(lambda t: t[0, 0], lambda s: len(s) > 2 and s[:2] == (1, 1))

MAX_DOUBLINGS = 12
"""From a base grid of 4 pixels to 16384."""
MAX_FILLED = 2**24
"""Numbers that a file may leave to be filled in; noise maps at 1024 pixels are a sixth of them."""

Pair = tuple[str, str, Transform]
"""(our name, their name, transform)."""


class Renamed(Mapping[str, Tensor]):
    """Foreign tensors under our names, in our layout and in single precision, each made when it is asked for.

    Args:
        foreign: name in the file -> tensor.
        pairs: every tensor such a network may have.
        path: of the file, for messages.
        is_useless: tells of a name and tensor in the file whether nothing here needs it; may raise.

    Raises:
        CheckpointError: a tensor of no known use; on access, one of a shape or type no such network has.
    """

    def __init__(
        self,
        foreign: Mapping[str, Tensor],
        pairs: Iterable[Pair],
        path: str,
        is_useless: Callable[[str, Tensor], bool],
    ) -> None:
        self._foreign, self._path = foreign, path
        self._places = {ours: (theirs, transform) for ours, theirs, transform in pairs if theirs in foreign}
        for name in sorted(set(foreign) - {theirs for theirs, _ in self._places.values()}):
            if not is_useless(name, foreign[name]):
                raise CheckpointError(
                    f"'{path}': got tensor {name[:80]!a} of shape {list(foreign[name].shape)}, which no such network "
                    "here has; the file is of a changed network: use the program it comes from"
                )

    def __getitem__(self, name: str) -> Tensor:
        theirs, transform = self._places[name]
        tensor = self._foreign[theirs]
        if not transform.fits(tensor.shape) or not tensor.is_floating_point():
            raise CheckpointError(
                f"'{self._path}': tensor '{theirs}' has shape {list(tensor.shape)} and type {tensor.dtype}, which is "
                "not that of such a network; the file is of another program"
            )
        return transform.read(tensor).to(torch.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def sizes(self, name: str, num_sides: int) -> tuple[int, ...]:
        """Return the shape of the tensor `name`.

        Raises:
            CheckpointError: it is missing, empty or has another number of sides.
        """
        tensor = self.get(name)
        if tensor is None or tensor.ndim != num_sides or not tensor.numel():
            got = "nothing" if tensor is None else f"shape {list(tensor.shape)}"
            raise CheckpointError(
                f"'{self._path}': got {got} for what is '{name}' here, expected {num_sides} sides; the file is of "
                "another network or incomplete"
            )
        return tuple(tensor.shape)


def check_size(make: Callable[[], nn.Module], foreign: Mapping[str, Tensor], path: str) -> None:
    """Refuse a network much larger than the tensors it is made for, before there is memory for it.

    Args:
        make: builds the network.
        foreign: tensors of the file.
        path: of the file, for messages.

    Raises:
        CheckpointError: names and shapes describe a network that the file does not hold.
    """
    with torch.device("meta"):
        wanted = sum(tensor.numel() for tensor in make().state_dict().values())
    given = sum(tensor.numel() for tensor in foreign.values())
    if wanted > given + MAX_FILLED:
        raise CheckpointError(
            f"'{path}': names and shapes of tensors describe a network of {wanted:,} numbers, got {given:,}, expected "
            "as many; the file is damaged or made up"
        )


@torch.no_grad()
def copy_into(
    module: nn.Module, tensors: Mapping[str, Tensor], path: str, filled: Mapping[str, Tensor] = MappingProxyType({})
) -> None:
    """Copy tensors into a network one by one, strictly by name and shape.

    Args:
        module: receives every tensor.
        tensors: from the file, under our names.
        path: of the file, for messages.
        filled: what the file does not have.

    Raises:
        CheckpointError: naming the first tensor that is missing, unknown, or of another shape.
    """
    expected = module.state_dict()
    for name in dict.fromkeys((*expected, *tensors)):
        tensor = tensors[name] if name in tensors else filled.get(name)
        got = "nothing" if tensor is None else list(tensor.shape)
        wanted = list(expected[name].shape) if name in expected else "nothing"
        if tensor is None or got != wanted:
            raise CheckpointError(
                f"'{path}': got {got} for what is '{name}' here, expected {wanted}; the file is of a changed network "
                "or incomplete"
            )
        expected[name].copy_(tensor)


def gather_generators(find: Callable[[str], Any], path: str, notes: list[str]) -> dict[str, Any]:
    """Return the generators of a file by our names, `generator_ema` among them.

    Args:
        find: from `generator_ema` or `generator` to the network, which has a `config`; None where the file has none.
        path: the file.
        notes: gets a sentence where the moving average has to be the generator itself.

    Raises:
        CheckpointError: there is no generator, or two with different settings.
    """
    networks = {name: found for name in ("generator_ema", "generator") if (found := find(name)) is not None}
    if not networks:
        raise CheckpointError(f"'{path}' holds no generator, expected one; convert the file that has it")
    first, *others = networks.values()
    if any(other.config != first.config for other in others):
        raise CheckpointError(f"'{path}': its two generators differ in their settings, expected the same")
    if "generator_ema" not in networks:
        networks["generator_ema"] = first
        notes.append("the file has no moving average of the generator: generator_ema is the generator itself")
    return networks


def count(name: Callable[[int], str], names: Collection[str], start: int = 0) -> int:
    """Return how many of `name` of start, start + 1, ... are among `names` without a gap."""
    index = start
    while name(index) in names:
        index += 1
    return index - start


def count_doublings(name: Callable[[int], str], names: Collection[str], path: str) -> int:
    """Return how many of the blocks above the base grid, at the levels 1, 2, ..., have `name` among `names`.

    Raises:
        CheckpointError: more than `MAX_DOUBLINGS`.
    """
    found = count(name, names, 1)
    if found > MAX_DOUBLINGS:
        raise CheckpointError(
            f"'{path}': got a network of {found} doublings, expected at most {MAX_DOUBLINGS}; the file is made up"
        )
    return found


def channel_law(
    channels: Sequence[int],
    recorded: tuple[int, int],
    num_channels: Callable[[int, int, int], int],
    path: str,
) -> tuple[int, int]:
    """Return (channel_base, channel_max) of a network with these channels.

    Several bases give the same channels; the recorded one is taken if it is among them, else the smallest.

    Args:
        channels: of the blocks, from the base grid up.
        recorded: base and maximum as recorded; zeros where they are not.
        num_channels: channels from base, maximum and level.
        path: of the file, for messages.

    Raises:
        CheckpointError: no base and maximum give these channels.
    """
    most = max(channels)
    least_base = max(width * 4 * 2**level for level, width in enumerate(channels) if width > 1 or most == 1)
    for base, limit in (recorded, (least_base, most)):
        if base and [num_channels(base, limit, level) for level in range(len(channels))] == list(channels):
            return base, limit
    raise CheckpointError(
        f"'{path}': layers have {list(channels)} channels from the coarsest to the finest, expected "
        "min(base / resolution, maximum) for some base and maximum; no other widths are implemented"
    )


def check_settings(settings: Mapping[str, Any], known: Mapping[str, Sequence[Any]], path: str) -> None:
    """Raise `CheckpointError` for a recorded setting whose value is none of the `known` ones."""
    for name, values in known.items():
        if name in settings and settings[name] not in values:
            raise CheckpointError(
                f"'{path}' was trained with {name} = {str(settings[name])[:40]!a}, which no network of this room "
                "computes; use the program it comes from"
            )


def number(settings: Mapping[str, Any], name: str, default: float) -> float:
    """Return a recorded number; the default when it was not recorded or is no reasonable one."""
    value = settings.get(name)
    return value if isinstance(value, int | float) and abs(value) < 2**31 else default


def is_blur(kernel: Tensor) -> bool:
    """Whether every [3, 3] part of a tensor is the filter [1, 2, 1], summing to 1."""
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    if kernel.shape[-2:] != (3, 3):
        return False
    return torch.allclose(kernel.float(), torch.outer(taps, taps).expand(kernel.shape), atol=1e-6)
