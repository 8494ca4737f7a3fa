"""Published checkpoints, the embedded model, and snapshots on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from limner.checkpoints import embedded, hub
from limner.checkpoints import zoo as checkpoints
from limner.checkpoints.io import find_snapshot
from limner.checkpoints.zoo import Published
from limner.runtime import expand


def published(words: str = "") -> list[Published]:
    """Return the published checkpoints whose name, room or description holds every one of `words`."""
    found = checkpoints.published().values()
    return [entry for entry in found if _has(words, f"{entry.name} {entry.room} {entry.what}")]


def embedded_models(words: str = "") -> dict[str, embedded.Model]:
    """Return the models in the package, by name, whose name, room or description holds every one of `words`."""
    return {name: model for name, model in embedded.MODELS.items() if _has(words, f"{name} {model.room} {model.what}")}


def is_fetched(entry: Published) -> bool:
    """Whether the file of a published checkpoint is on this machine."""
    return checkpoints.place(entry.name).is_file()


def fetch(name: str) -> Path:
    """Download a published checkpoint when it is not here, convert it, and return the snapshot; see `checkpoints.zoo`.

    Of an embedded model it is the snapshot in the package.

    Raises:
        ConfigError: an unknown name, or a mirror that is no address.
        CheckpointError: it has to be downloaded by hand, cannot be downloaded, or is not what was first used.
    """
    if name in embedded.MODELS:
        return find_snapshot(embedded.place(name))
    checkpoints.find(name)
    checkpoints.fetch(name)
    return find_snapshot(checkpoints.place(name))


def push(checkpoint: str | Path, repository: str, *, private: bool = False) -> str:
    """Upload a snapshot to the Hugging Face hub, and return its address; see `checkpoints.hub.push`."""
    return hub.push(checkpoint, repository, private=private)


def pull(repository: str, dest: str | Path, *, revision: str | None = None) -> Path:
    """Download a snapshot from the Hugging Face hub to a new folder; see `checkpoints.hub.pull`."""
    return hub.pull(repository, expand(dest), revision=revision)


def _has(words: str, text: str) -> bool:
    return all(word in text.lower() for word in words.lower().split())
