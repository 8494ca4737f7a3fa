"""Reading configurations strictly, overrides by dotted path, differences, and files.

Layers, lowest first: defaults, preset, configuration file, flags. A wrong key or type is an error that names the dotted
path and the closest key. The types of a paper's parts are found through the registry.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal

import yaml

from limner import registry
from limner.config.run import RunConfig, SourceConfig
from limner.errors import ConfigError, closest

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""Text that is a number; YAML 1.1 takes 1e-3 for text."""
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""Text of a flag that is a truth value."""


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
    source = values.get("generator_from")
    generator_room = source.get("room") if isinstance(source, Mapping) else None
    parts = room_parts(str(values["room"]), str(generator_room or ""))
    for name, what in (("encoder", "an encoder"), ("generator_from", "an encoder"), ("classifier", "a classifier")):
        if values.get(name) is not None and name not in parts:
            raise ConfigError(
                f"'{name}' is for rooms that train {what}, room '{values['room']}' does not; drop it, or name a "
                "preset of such a room"
            )
    return from_dict(RunConfig, values, parts=parts)


def room_parts(room: str, generator_room: str = "") -> dict[str, type]:
    """Return the dataclasses that the fields of a `RunConfig` left open take in `room`.

    Args:
        room: of the run.
        generator_room: room of the finished generator, where the run trains an encoder; empty: none is named yet, and
            `generator` and `discriminator` stay open.

    Raises:
        ConfigError: an unknown room, or one that has no generator.
    """
    module = registry.get("papers", room)
    parts: dict[str, type] = {"objective": module.ObjectiveConfig}
    if hasattr(module, "EncoderConfig"):
        parts |= {"encoder": module.EncoderConfig, "generator_from": SourceConfig}
    elif hasattr(module, "ClassifierConfig"):
        parts |= {"classifier": module.ClassifierConfig}
    else:
        generator_room = room
    if generator_room:
        networks = registry.get("papers", generator_room)
        if not hasattr(networks, "GeneratorConfig"):
            raise ConfigError(
                f"generator_from.room: got '{generator_room}', which has no generator; expected its generator's room"
            )
        parts |= {"generator": networks.GeneratorConfig, "discriminator": networks.DiscriminatorConfig}
    return parts


def to_dict(config: Any) -> dict[str, Any]:
    """Return `config` as nested plain values (lists for tuples) that JSON and YAML can hold.

    A field marked as optional that is None is left out.
    """
    values = {f: getattr(config, f.name) for f in dataclasses.fields(config)}
    return {f.name: _plain(v) for f, v in values.items() if v is not None or not f.metadata.get("optional")}


def with_changes(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """Return `config` with fields replaced by dotted path, for example ``{"objective.r1_gamma": "20"}``.

    Text is read as the type of its field: `true`, `null`, `1e-3`, `64,48`, `[64, 48]` and `8:128,16:64` (a table) mean
    what they say; a field that holds text takes it as it is. A path may name an entry of a table.

    Raises:
        ConfigError: unknown path (with the closest one), a group instead of a setting, or wrong type.
    """
    values = to_dict(config)
    leaves = dict(flatten(values))
    tables = {f.name for f in dataclasses.fields(config.schedule) if isinstance(getattr(config.schedule, f.name), dict)}
    for path, value in changes.items():
        *parents, last = path.split(".")
        node: Any = values
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        is_entry = bool(parents) and parents[-1] in tables  # of a table, which takes any key
        if not isinstance(node, dict) or (last not in node and not is_entry):
            raise ConfigError(f"unknown setting '{path}'.{_closest_path(path, leaves)}")
        if isinstance(node.get(last), dict) and last not in tables:
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
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
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
    if origin is dict:
        return _coerce_table(args, value, path)
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


def _coerce_table(args: tuple[Any, ...], value: Any, path: str) -> dict[Any, Any]:
    """Read a mapping, or text such as `8:128,16:64`."""
    if isinstance(value, str):
        pairs = [part.partition(":") for part in value.strip("{} ").split(",") if part.strip()]
        value = {_Text(key.strip()): _Text(entry.strip()) for key, _, entry in pairs}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: got {value!r}, expected a table such as 8:128,16:64")
    return {
        _coerce_scalar(args[0], _Text(key), path): _coerce_scalar(args[1], entry, f"{path}.{key}")
        for key, entry in value.items()
    }


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
