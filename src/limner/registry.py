"""Finding parts by file name: a module in a known folder is registered by being there.

`names("papers")` lists the rooms, `get("callbacks", "report")` imports that one module. Listing imports nothing, so the
command line stays quick, and adding a part means adding a file.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from limner.errors import ConfigError, closest

FOLDERS = {
    "papers": "limner.papers",
    "losses": "limner.losses",
    "features": "limner.features",
    "metrics": "limner.metrics",
    "inversion": "limner.inversion",
    "editing": "limner.editing",
    "callbacks": "limner.training.callbacks",
}
"""Kind of part -> package whose modules are the parts."""

NOT_PARTS = {"base", "runner", "engine", "adversarial", "weights", "download", "graph", "resize", "vit"}
"""Modules of those packages that hold contracts and machinery, not parts."""


def names(kind: str) -> tuple[str, ...]:
    """Return the sorted names registered under `kind` without importing them."""
    package = importlib.import_module(FOLDERS[kind])
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if name not in NOT_PARTS and not name.startswith("_")))


def get(kind: str, name: str) -> ModuleType:
    """Import and return the module registered as `name` under `kind`.

    Raises:
        ConfigError: if there is no such part; the message lists them and gives the closest name.
    """
    known = names(kind)
    if name not in known:
        raise ConfigError(
            f"there is no '{name}' among the {kind}, expected one of: {', '.join(known)}.{closest(name, known)}"
        )
    return importlib.import_module(f"{FOLDERS[kind]}.{name}")
