"""What is inside a set of pictures, prepared or not: numbers for a listing and pictures for a contact sheet."""

from __future__ import annotations

from typing import Any

from PIL import Image

from limner.config import base_grid
from limner.data.base import Dataset, Source
from limner.data.decode import PictureError
from limner.errors import ConfigError


def describe(data: Dataset | Source) -> dict[str, Any]:
    """Return what is inside as plain values.

    Returns:
        `path`, `form`, `count`, `sizes` ([height, width, count] rows, commonest first), `channels` and `bits` (value ->
        count), `broken` (name -> reason), `others` (names that are neither pictures nor labels), `size_bytes`, `labels`
        (None, or `kind`, `dim`, `counts` by name) and
        `advice` (a sentence, or None when the data can be trained on as they are).
    """
    source = data.source if isinstance(data, Dataset) else data
    survey = source.survey()
    labels = source.labels
    sizes = [[height, width, count] for (height, width), count in survey.sizes.most_common()]
    advice = None
    if survey.broken:
        advice = f"{len(survey.broken)} pictures cannot be read: 'limner prepare' leaves them out"
    elif len(sizes) > 1:
        advice = "the pictures differ in size: run 'limner prepare' with --resolution"
    elif sizes:
        try:
            base_grid((sizes[0][0], sizes[0][1]))
        except ConfigError as error:
            advice = str(error)
    return {
        "path": source.path,
        "form": source.form,
        "count": len(source.names),
        "sizes": sizes,
        "channels": dict(sorted(survey.channels.items())),
        "bits": dict(sorted(survey.bits.items())),
        "broken": survey.broken,
        "others": list(source.others),
        "size_bytes": source.size_bytes,
        "labels": None if labels is None else {"kind": labels.kind, "dim": labels.dim, "counts": labels.counts()},
        "advice": advice,
    }


def contact_pictures(data: Dataset | Source, count: int = 36) -> list[tuple[str, Image.Image]]:
    """Return (name, picture) for up to `count` readable pictures, spread evenly over the names.

    Pictures are upright and otherwise as stored: any size and mode.
    """
    source = data.source if isinstance(data, Dataset) else data
    total = len(source.names)
    wanted = min(count, total)
    shown = []
    for number in range(wanted):
        index = number * total // wanted
        try:
            shown.append((source.names[index], source.picture(index)))
        except PictureError:
            continue
    return shown
