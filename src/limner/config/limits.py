"""Checking numbers of a configuration where it is built."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from limner.errors import ConfigError

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def check_limits(config: Any, group: str, **limits: str) -> None:
    """Check numbers of a dataclass from its `__post_init__`; None passes, a tuple or the values of a table one by one.

    Args:
        config: the dataclass.
        group: its dotted path in a `RunConfig`, for messages; empty for the top.
        limits: field name -> conditions such as ``">= 0, < 1"``.

    Raises:
        ConfigError: a value is outside.
    """
    for name, conditions in limits.items():
        value = getattr(config, name)
        numbers = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        for number in numbers:
            for sign, bound in (condition.split() for condition in conditions.split(", ")):
                if number is not None and not COMPARISONS[sign](number, float(bound)):
                    path = f"{group}.{name}" if group else name
                    got = list(value) if isinstance(value, tuple) else value
                    raise ConfigError(f"{path}: got {got}, expected {conditions}")
