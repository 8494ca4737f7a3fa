"""Every error limner raises on purpose: one sentence that says what was got, what was expected, and what to do.

The command line prints that sentence and exits with 1 (2 for a misuse of the command line itself); nothing in the
package catches these errors to carry on silently.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LimnerError(Exception):
    """Base of all errors that a user can act on."""


class ConfigError(LimnerError):
    """A key, type or value of a configuration, preset or flag is wrong."""


class ShapeError(LimnerError):
    """A tensor, picture or resolution has a shape that a network or operation cannot take."""


class DataError(LimnerError):
    """A data set, picture or label file cannot be read or does not fit."""


class CheckpointError(LimnerError):
    """A checkpoint or training state is missing, damaged, of another kind, or does not fit the network."""


class WeightsError(LimnerError):
    """The weight file of a feature network is missing, damaged or another one, or cannot be fetched."""


class NonFiniteError(LimnerError):
    """Training met a NaN or an infinity; the message names the phase."""


class DistributedError(LimnerError):
    """A process of a distributed run died or could not be reached."""


class MissingExtraError(LimnerError):
    """An optional dependency is needed; the message names the extra to install."""


def closest(name: str, choices: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the choice most like `name` or containing it, or an empty string.

    A choice that is `name` itself is no answer.
    """
    choices = [choice for choice in choices if choice != name]
    matches = difflib.get_close_matches(name, choices, n=1, cutoff=0.5) or [c for c in choices if name and name in c]
    return f" Did you mean '{matches[0]}'?" if matches else ""
