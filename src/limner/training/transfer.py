"""Transfer learning: a run starts from the networks of another, as far as they fit.

Tensors are copied by name where their shapes agree; every one that does not fit is listed, so nothing starts from
scratch unseen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from limner.checkpoints.io import find_snapshot, load_config, network_names, read_networks
from limner.errors import ConfigError
from limner.runtime import atomic_file
from limner.training.state import TrainingState

AVERAGE = "generator_ema"
RECORD_NAME = "transfer.json"
"""File of the run's folder that says what was taken over."""
SHOWN = 3
"""Tensors named in a notice."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What a run took over."""

    source: str
    """The snapshot."""
    num_copied: int
    """Tensors of G, its average and D, or of E and D, that were copied."""
    fresh: tuple[str, ...]
    """Those that were not, each with its shape here and there, and networks that the snapshot does not have."""

    def notice(self) -> str:
        """Return one line for people."""
        text = f"fine-tuning: {self.num_copied} tensors are taken from {self.source}"
        if not self.fresh:
            return text
        more = f" and {len(self.fresh) - SHOWN} more, all listed in {RECORD_NAME}" if len(self.fresh) > SHOWN else ""
        return f"{text}; {len(self.fresh)} start fresh: {', '.join(self.fresh[:SHOWN])}{more}"


def take_over(state: TrainingState, path: Path, room: str, run_dir: Path | None) -> Transfer:
    """Copy the networks of the snapshot at `path` into the state of a fresh run.

    Of a snapshot with the average generator alone, such as a copy in half precision, G starts from that, and D fresh.

    Args:
        state: its G, G_ema and D are changed, or its E and D.
        path: see `find_snapshot`.
        room: the room of the run.
        run_dir: where to record what was taken over; None: nowhere.

    Raises:
        CheckpointError: no snapshot, or a damaged one.
        ConfigError: it is of another room, or none of its tensors fits.
    """
    config, held = load_config(path), network_names(find_snapshot(path))
    there = config.room if state.E is not None else config.generator_room
    if there != room:
        raise ConfigError(
            f"'{path}' holds networks of room '{there}', expected '{room}', the room of this preset; "
            "start from a preset of that room, or leave out --init-from"
        )
    modules = state.networks()
    if state.E is not None:  # the generator does not move; a snapshot may have been trained without D
        modules = {name: modules[name] for name in ("encoder", "discriminator") if name in modules and name in held}
    sources = {name: AVERAGE if name == "generator" and name not in held else name for name in modules}
    networks = read_networks(path, {source for source in sources.values() if source in held})
    num_copied, fresh = 0, [f"{name}: absent there" for name, source in sources.items() if source not in networks]
    for name, module in modules.items():
        if sources[name] not in networks:
            continue
        fitting, rest = _fitting(module, networks[sources[name]])
        module.load_state_dict({**module.state_dict(), **fitting})
        num_copied += len(fitting)
        fresh += [f"{name}.{line}" for line in rest]
    if not num_copied:
        raise ConfigError(f"'{path}': none of its tensors fits these networks; leave out --init-from")
    transfer = Transfer(source=str(path), num_copied=num_copied, fresh=tuple(fresh))
    if run_dir is not None:
        with atomic_file(run_dir / RECORD_NAME) as file:
            file.write(json.dumps(asdict(transfer), indent=2).encode() + b"\n")
    return transfer


def _fitting(module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors that fit `module`, and a line for each of its own that keeps its fresh value."""
    fitting, rest = {}, []
    for name, own in module.state_dict().items():
        given = tensors.get(name)
        if given is not None and given.shape == own.shape:
            fitting[name] = given
        else:
            there = "absent" if given is None else f"{list(given.shape)} there"
            rest.append(f"{name} {list(own.shape)} here, {there}")
    unused = [
        f"{name} {list(tensors[name].shape)} there, not here" for name in tensors if name not in module.state_dict()
    ]
    return fitting, rest + unused
