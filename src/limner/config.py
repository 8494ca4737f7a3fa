"""Configuration: frozen dataclasses, strict reading, overrides by dotted path, and differences.

A run is described by one `RunConfig`. It is composed of small parts; the parts that belong to a paper (generator,
discriminator, objective) are dataclasses of that paper's room and are found through the registry. Durations are in
kimg (thousands of real images shown to D), resolutions in pixels. Layers, lowest first: defaults, preset, configuration
file, flags. A wrong key or type is an error that names the dotted path and the closest key.
"""

from __future__ import annotations

import dataclasses
import operator
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal

import yaml

from limner import registry
from limner.errors import ConfigError, closest

Resolution = tuple[int, int]
"""(height, width) in pixels."""


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""Text that is a number; YAML 1.1 takes 1e-3 for text."""
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""Text of a flag that is a truth value."""


def check_limits(config: Any, group: str, **limits: str) -> None:
    """Check numbers of a dataclass from its `__post_init__`; None passes, a tuple is checked item by item.

    Args:
        config: the dataclass.
        group: its dotted path in a `RunConfig`, for messages; empty for the top.
        limits: field name -> conditions such as ``">= 0, < 1"``.

    Raises:
        ConfigError: a value is outside.
    """
    for name, conditions in limits.items():
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            for sign, bound in (condition.split() for condition in conditions.split(", ")):
                if number is not None and not COMPARISONS[sign](number, float(bound)):
                    raise ConfigError(f"{_join(group, name)}: got {_plain(value)}, expected {conditions}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which pictures are shown, and how."""

    path: str = ""
    """Folder or zip of pictures, or `samples` for the pictures embedded in the package."""
    resolution: Resolution = (64, 64)
    """Height and width of the training pictures, pixels."""
    channels: int = 3
    """Channels of the pictures: 1, 2, 3 or 4."""
    mirror: bool = False
    """Show each picture also flipped left to right (the data set is doubled; ADA paper, Section 3)."""
    cond: bool = False
    """Condition on the labels of the data set."""
    c_dim: int = 0
    """Length of a label vector; 0 when unconditional. Filled in from the data set."""
    subset: int | None = None
    """Use only this many pictures, chosen by the seed; None: all."""
    workers: int = 2
    """Decoding threads. Never changes what is shown."""
    cache_mb: int = 2048
    """Decoded pictures are kept in memory up to this size, MB."""

    def __post_init__(self) -> None:
        limits = {"resolution": ">= 1", "channels": ">= 1, <= 4", "c_dim": ">= 0", "subset": ">= 1"}
        check_limits(self, "data", **limits, workers=">= 1", cache_mb=">= 0")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam for both networks."""

    g_lr: float = 0.002
    """Learning rate of G (StyleGAN2 paper, Appendix B: 0.002)."""
    d_lr: float = 0.002
    """Learning rate of D."""
    beta1: float = 0.0
    """Adam beta 1 (ProGAN paper, Appendix A.1)."""
    beta2: float = 0.99
    """Adam beta 2."""
    eps: float = 1e-8
    """Adam epsilon."""

    def __post_init__(self) -> None:
        check_limits(self, "optimizer", g_lr=">= 0", d_lr=">= 0", beta1=">= 0, < 1", beta2=">= 0, < 1", eps="> 0")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """What changes with the number of images shown."""

    lr_rampup_kimg: float = 0.0
    """Learning rates rise from 0 over this many kimg; 0: off."""

    def __post_init__(self) -> None:
        check_limits(self, "schedule", lr_rampup_kimg=">= 0")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Augmentation of what D sees."""

    mode: Literal["none", "ada", "fixed", "diffaugment"] = "none"
    """`ada`: adaptive p; `fixed`: constant p; `diffaugment`: the DiffAugment policy."""
    pipe: str = "bgc"
    """ADA transform groups: letters of b(lit) g(eometry) c(olor) f(ilter) n(oise) c(utout), as in the ADA paper."""
    policy: str = "color,translation,cutout"
    """DiffAugment policy, comma separated."""
    p: float = 0.0
    """Probability: the constant for `fixed`, the start for `ada`."""
    target: float = 0.6
    """ADA target of E[sign(D(real))] (ADA paper, Section 3.1)."""
    interval: int = 4
    """Iterations between adjustments of p."""
    speed_kimg: float = 500.0
    """p can move by 1 in this many kimg (100 for transfer learning)."""

    def __post_init__(self) -> None:
        check_limits(self, "augment", p=">= 0, <= 1", target=">= -1, <= 1", interval=">= 1", speed_kimg="> 0")


@dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """Moving average of the generator's weights."""

    kimg: float = 10.0
    """Half-life, kimg."""
    rampup: float | None = None
    """Half-life is at most this fraction of the images shown so far; None: no ramp-up."""

    def __post_init__(self) -> None:
        check_limits(self, "ema", kimg=">= 0", rampup="> 0")


@dataclass(frozen=True, kw_only=True)
class CallbacksConfig:
    """What is written during a run, and how often."""

    names: tuple[str, ...] = ("progress", "log", "tensorboard", "evaluate", "samples", "snapshots", "curve", "report")
    """Callbacks in the order they are called; a name is a file of `limner/training/callbacks`."""
    tick_kimg: float = 4.0
    """Length of a tick, kimg: one line in the log."""
    snap: int = 50
    """Ticks between snapshots."""
    keep: int = 3
    """Snapshots kept, newest first; the best by metric is kept besides."""
    metrics: tuple[str, ...] = ()
    """Metrics computed at every snapshot; the first decides which snapshot is the best."""

    def __post_init__(self) -> None:
        check_limits(self, "callbacks", tick_kimg="> 0", snap=">= 1", keep=">= 1")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run's result."""

    preset: str
    """Name of the preset this configuration started from."""
    room: str
    """Paper whose networks and objective are used: a folder of `limner/papers`."""
    data: DataConfig = field(default_factory=DataConfig)
    """Pictures."""
    generator: Any
    """`GeneratorConfig` of the room."""
    discriminator: Any
    """`DiscriminatorConfig` of the room."""
    objective: Any
    """`ObjectiveConfig` of the room."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """Adam settings."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """What changes with nimg."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation."""
    ema: EmaConfig = field(default_factory=EmaConfig)
    """Weight averaging."""
    total_kimg: float = 25000.0
    """Length of the run, kimg."""
    batch: int = 32
    """Total batch over all processes."""
    batch_gpu: int | None = None
    """Largest batch a process holds at once; more is accumulated. None: the process's whole share."""
    seed: int = 0
    """Seed of initial weights, latents, augmentation and data order."""
    callbacks: CallbacksConfig = field(default_factory=CallbacksConfig)
    """What is written."""

    def __post_init__(self) -> None:
        check_limits(self, "", total_kimg=">= 0", batch=">= 1", batch_gpu=">= 1", seed=f">= 0, < {2**32}")
        shared = (("img_resolution", "resolution"), ("img_channels", "channels"), ("c_dim", "c_dim"))
        for part in ("generator", "discriminator"):
            for name, source in shared:
                expected = getattr(self.data, source)
                got = getattr(getattr(self, part), name, expected)
                if got != expected:
                    raise ConfigError(
                        f"{part}.{name}: got {_plain(got)}, expected {_plain(expected)}, the value of data.{source}; "
                        "set both to the same"
                    )


def base_grid(resolution: Resolution) -> tuple[int, int, int]:
    """Return how a growing stack of 2x blocks reaches `resolution`: (base height, base width, number of doublings).

    The number of doublings is the largest k for which 2^k divides both sides and the longer side of the base grid is
    at least 4 pixels; networks can be built when that longer side is at most 7 (4x4, 4x3, 6x4, 7x7, ...).

    Raises:
        ConfigError: no such grid; the message names the nearest resolutions that have one.
    """
    height, width = resolution
    doublings = 0
    while (
        height % 2 ** (doublings + 1) == 0
        and width % 2 ** (doublings + 1) == 0
        and max(height, width) >= 4 * 2 ** (doublings + 1)
    ):
        doublings += 1
    base_h, base_w = height // 2**doublings, width // 2**doublings
    if min(height, width) >= 1 and 4 <= max(base_h, base_w) <= 7:
        return base_h, base_w, doublings
    nearest = " or ".join(f"{h}x{w}" for h, w in _nearest_resolutions(resolution))
    raise ConfigError(
        f"no network can be built for {height}x{width} pixels (height x width), expected at most 7 pixels times a "
        f"power of two on the longer side; use {nearest}"
    )


def _nearest_resolutions(resolution: Resolution) -> list[Resolution]:
    """Return the nearest buildable resolutions: up to two, square ones if `resolution` is square."""
    height, width = resolution
    found = {
        (base_h * 2**doublings, base_w * 2**doublings)
        for doublings in range(13)
        for base_h in range(1, 8)
        for base_w in range(1, 8)
        if max(base_h, base_w) >= 4 and (height != width or base_h == base_w)
    }
    return sorted(found, key=lambda size: (abs(size[0] - height) + abs(size[1] - width), size))[:2]


def from_dict(cls: type, values: Mapping[str, Any], path: str = "", parts: Mapping[str, type] | None = None) -> Any:
    """Build the dataclass `cls` from plain values, strictly.

    Args:
        cls: a dataclass.
        values: mapping from field name to plain value; nested mappings for nested dataclasses.
        path: dotted path of `values`, for messages.
        parts: dataclasses to use for the fields annotated `Any`.

    Raises:
        ConfigError: unknown key (with the closest one), missing key, or a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path or 'configuration'}: got {values!r}, expected a mapping of settings")
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown setting '{_join(path, str(key))}'.{closest(str(key), known)}")
    hints = typing.get_type_hints(cls)
    hints.update(parts or {})
    built = {key: _coerce(hints[key], value, _join(path, key)) for key, value in values.items()}
    no_default = (dataclasses.MISSING, dataclasses.MISSING)
    missing = [n for n, f in known.items() if n not in built and (f.default, f.default_factory) == no_default]
    if missing:
        raise ConfigError(f"missing setting '{_join(path, missing[0])}'; add it to the configuration")
    return cls(**built)


def run_config_from_dict(values: Mapping[str, Any]) -> RunConfig:
    """Build a `RunConfig`; the room named in it supplies the types of its parts."""
    if not isinstance(values, Mapping) or "room" not in values:
        raise ConfigError("the configuration names no 'room'; expected one of: " + ", ".join(registry.names("papers")))
    return from_dict(RunConfig, values, parts=room_parts(str(values["room"])))


def room_parts(room: str) -> dict[str, type]:
    """Return the dataclasses that the fields `generator`, `discriminator` and `objective` take in `room`."""
    module = registry.get("papers", room)
    return {
        "generator": module.GeneratorConfig,
        "discriminator": module.DiscriminatorConfig,
        "objective": module.ObjectiveConfig,
    }


def to_dict(config: Any) -> dict[str, Any]:
    """Return `config` as nested plain values (lists for tuples) that JSON and YAML can hold."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def with_changes(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """Return `config` with fields replaced by dotted path, for example ``{"objective.r1_gamma": "20"}``.

    Text is read as the type of its field: `true`, `null`, `1e-3`, `64,48` and `[64, 48]` mean what they say; a field
    that holds text takes it as it is.

    Raises:
        ConfigError: unknown path (with the closest one), a group instead of a setting, or wrong type.
    """
    values = to_dict(config)
    leaves = dict(flatten(values))
    for path, value in changes.items():
        *parents, last = path.split(".")
        node: Any = values
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ConfigError(f"unknown setting '{path}'.{_closest_path(path, leaves)}")
        if isinstance(node[last], dict):
            raise ConfigError(
                f"'{path}' is a group of settings, expected one of them, such as {path}.{next(iter(node[last]))}"
            )
        node[last] = _Text(value) if isinstance(value, str) else _plain(value)
    return run_config_from_dict(values)


def flatten(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) for every leaf of nested mappings."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, _join(path, key))
        else:
            yield _join(path, key), value


def difference(old: RunConfig, new: RunConfig) -> list[tuple[str, Any, Any]]:
    """Return (dotted path, old value, new value) for every setting that differs, in declaration order."""
    before, after = dict(flatten(to_dict(old))), dict(flatten(to_dict(new)))
    paths = list(dict.fromkeys([*before, *after]))
    return [(p, before.get(p), after.get(p)) for p in paths if before.get(p) != after.get(p)]


def to_yaml(config: RunConfig) -> str:
    """Return `config` as YAML that `read_yaml` and `run_config_from_dict` read back."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, width=120)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        ConfigError: the file is missing, not YAML, or not a mapping.
    """
    try:
        values = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration file '{path}': {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file '{path}' is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"configuration file '{path}': got {type(values).__name__}, expected a mapping of settings")
    return values


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


class _Text(str):
    """Text of a flag, to be read as the type of its field."""


def _closest_path(path: str, leaves: Collection[str]) -> str:
    """Return a suggestion for a dotted path by likeness of the whole and of its last name."""

    def likeness(leaf: str) -> float:
        pairs = (leaf, path), (leaf.rpartition(".")[2], path.rpartition(".")[2])
        return sum(SequenceMatcher(None, a, b).ratio() for a, b in pairs)

    best = max(leaves, key=likeness)
    return f" Did you mean '{best}'?" if likeness(best) >= 1 else " Expected a dotted path such as optimizer.g_lr."


def _coerce(hint: Any, value: Any, path: str) -> Any:
    """Return `value` as the type `hint`, or raise a `ConfigError` naming `path`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, _Text) and value.lower() in ("null", "none", "~", "")):
            return None
        return _coerce(next(a for a in args if a is not type(None)), value, path)
    if origin is Literal:
        if value not in args:
            options = [str(a) for a in args]
            raise ConfigError(f"{path}: got {value!r}, expected one of {options}.{closest(str(value), options)}")
        return args[args.index(value)]
    if origin is tuple:
        return _coerce_tuple(args, value, path)
    if dataclasses.is_dataclass(hint):
        cls = typing.cast(type, hint)
        return value if isinstance(value, cls) else from_dict(cls, value, path)
    return _coerce_scalar(hint, value, path)


def _coerce_tuple(args: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    any_length = args[-1] is Ellipsis
    if isinstance(value, str):
        value = [_Text(part.strip()) for part in value.strip("[]() ").split(",") if part.strip()]
        value = value * len(args) if len(value) == 1 and not any_length else value
    if not any_length and isinstance(value, int) and not isinstance(value, bool):
        value = [value] * len(args)
    if not isinstance(value, list | tuple) or (not any_length and len(value) != len(args)):
        count = "any number of" if any_length else str(len(args))
        raise ConfigError(f"{path}: got {value!r}, expected a list of {count} {args[0].__name__} values")
    return tuple(_coerce(args[0], v, path) for v in value)


def _coerce_scalar(hint: type, value: Any, path: str) -> Any:
    if hint is str and isinstance(value, str):
        return str(value)
    plain = BOOLEANS.get(value.lower(), value) if isinstance(value, _Text) else value
    if isinstance(plain, str) and NUMBER.fullmatch(plain):
        plain = int(plain) if plain.lstrip("+-").isdigit() else float(plain)
    accepts: dict[type, Callable[[Any], bool]] = {
        bool: lambda v: isinstance(v, bool) or (isinstance(v, int) and v in (0, 1)),
        int: lambda v: not isinstance(v, bool) and (isinstance(v, int) or (isinstance(v, float) and v.is_integer())),
        float: lambda v: not isinstance(v, bool) and isinstance(v, int | float) and abs(v) <= sys.float_info.max,
    }
    if hint not in accepts or not accepts[hint](plain):
        kind = "str" if isinstance(value, str) else type(value).__name__
        advice = "; put it in quotes" if hint is str and isinstance(value, int | float) else ""
        raise ConfigError(f"{path}: got {value!r} ({kind}), expected {hint.__name__}{advice}")
    return hint(plain)
