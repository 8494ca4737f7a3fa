"""What a run that trains a classifier learns: the attributes of labelled pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limner.api.catalog import find_preset
from limner.config import RunConfig
from limner.data import Dataset
from limner.errors import ConfigError, DataError, closest
from limner.papers.base import PresetRequest

ALL = "all"
"""Stands for every attribute of the data."""


def is_learned(preset: str, resumed: RunConfig | None, given: Sequence[str] | None, cond: bool | None) -> bool:
    """Whether a run learns attributes.

    Args:
        preset: of a new run.
        resumed: the run that goes on; None: a new one.
        given: attributes asked for.
        cond: whether networks that take labels are asked for.

    Raises:
        ConfigError: attributes are given where none are learned, or labels are refused where they are.
    """
    run = resumed or find_preset(preset).build(PresetRequest())
    preset, learns = run.preset, run.classifier is not None
    if learns and cond is False:
        raise ConfigError(f"--cond: got no, but preset '{preset}' learns the labels of the pictures; leave it out")
    if given is not None and not learns:
        raise ConfigError(
            f"--attributes says what a classifier learns, but preset '{preset}' trains none; name a preset such as "
            "classifier-tiny, or leave it out"
        )
    return learns


def wanted(given: Sequence[str] | None, overlay: Mapping[str, Any], resumed: RunConfig | None) -> Sequence[str] | None:
    """Return the names asked for: by flag, by a file, or by the run that goes on; None: all there are."""
    if given is not None:
        return given
    part = overlay.get("classifier")
    named = part.get("attributes") if isinstance(part, Mapping) else None
    if isinstance(named, Mapping) and named:
        return [str(name) for name in named]
    return None if resumed is None else tuple(resumed.classifier.attributes)


def places(dataset: Dataset, names: Sequence[str] | None) -> dict[str, int]:
    """Return attribute -> place in a label vector, in the order of the vector.

    Args:
        dataset: labelled pictures; of classes, each is an attribute.
        names: which; None or `all`: every one.

    Raises:
        DataError: the pictures have no labels, or all or none of them have an attribute.
        ConfigError: an unknown attribute; the message gives the closest.
    """
    labels = dataset.labels
    if labels is None:
        raise DataError(
            f"the pictures in {dataset.path} have no labels, expected attributes of each picture to learn; "
            "docs/howto/labels.md lists the label files that are read"
        )
    known = labels.names or tuple(f"label-{index}" for index in range(labels.dim))
    names = known if names is None or list(names) == [ALL] else names
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        got = f"'{unknown[0]}'" if unknown else "none"
        raise ConfigError(
            f"attributes: got {got}, the pictures are labelled with {', '.join(known)}."
            f"{closest(unknown[0], known) if unknown else ''}"
        )
    has = labels.vectors(np.arange(len(dataset))) > 0  # [N, D]
    chosen = {name: place for place, name in enumerate(known) if name in names}
    constant = [name for name, place in chosen.items() if has[:, place].all() or not has[:, place].any()]
    if constant:
        others = [name for name in chosen if name not in constant]
        how = "all" if has[:, chosen[constant[0]]].all() else "none"
        raise DataError(
            f"attribute '{constant[0]}': {how} of the {len(dataset):,} pictures have it, expected some with and some "
            f"without; leave it out{': --attributes ' + ','.join(others) if others else ', or give other pictures'}"
        )
    return chosen
