"""Do codes carry what pictures show? Boundaries asked for true attributes, and edits counted.

Sources: IDInvert paper (Zhu et al. 2020), Section 4.2 and Figure 6: boundaries found on sampled codes classify inverted
ones, precision and recall against the true attributes. Edits: what changes besides what was asked for (InterFaceGAN,
Section 4, re-scoring).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner.api.directions import Evidence, gather_scores
from limner.api.study.bench import Bench
from limner.editing import svm
from limner.editing.base import Direction, along
from limner.errors import ConfigError
from limner.runtime import write_text

LIST_NAME = "boundaries.json"
STRENGTHS = (1.0, 2.0, 3.0)
"""How far codes are edited, in deviations of W along the boundary, away from the side they are on."""
FEWEST = 4
"""Held-out pictures with and without an attribute that its average precision needs."""
MOST_CHANGED = 1
"""Other attributes that may change in an edit that counts as clean."""


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What became of the edits of N codes: means over attributes and strengths, [N] each."""

    changed: np.ndarray
    """Share whose attribute turned into its opposite."""
    kept: np.ndarray
    """Share of the other attributes that stayed as they were."""
    clean: np.ndarray
    """Share whose attribute turned and of whose others at most `MOST_CHANGED` did."""


def read_boundaries(bench: Bench, folder: Path) -> list[Direction] | None:
    """Return what `find_boundaries` wrote for these attributes of this generator; None: nothing."""
    listed = folder / LIST_NAME
    if not listed.is_file():
        return None
    known = json.loads(listed.read_text(encoding="utf-8"))
    if known["fingerprint"] != bench.identity or known["asked"] != list(bench.attributes):
        return None
    return [Direction.load(folder / f"{name}.safetensors") for name in known["found"]]


def find_boundaries(bench: Bench, folder: Path, evidence: Evidence) -> list[Direction]:
    """Find the boundary in W of every attribute that is known of the pictures, and write a file each.

    An attribute that hardly any or nearly all sampled pictures have is left out.
    """
    evidence = replace(evidence, attributes=bench.attributes)
    scores = gather_scores(bench.generator, bench.identity, evidence, folder, None)
    found = []
    for column, name in enumerate(scores.names):
        try:
            edit = svm.Edit().fit(scores.codes["w"], scores.values[:, column], attribute=name, space="w")
        except ConfigError:  # too few have it, or have it not
            continue
        found.append(replace(edit.direction_, fingerprint=bench.identity))
        found[-1].save(folder / f"{name}.safetensors")
    names = [direction.name for direction in found]
    about = {"fingerprint": bench.identity, "asked": list(bench.attributes), "found": names}
    write_text(folder / LIST_NAME, json.dumps(about) + "\n")
    return found


def usable(bench: Bench, count: int) -> list[str]:
    """Return the attributes that enough of the first pictures have, and enough have not."""
    assert bench.labels is not None
    has = bench.labels[:count].sum(0)
    fewest = np.minimum(has, min(count, len(bench.labels)) - has)
    return [name for name, number in zip(bench.attributes, fewest, strict=True) if number >= FEWEST]


def precisions(
    bench: Bench, directions: Sequence[Direction], ws: Tensor, names: Sequence[str], chosen: np.ndarray
) -> np.ndarray:
    """Return the average precision [A] of each attribute: boundaries rank the codes, true attributes say who is right.

    Args:
        bench: its labels.
        directions: the boundaries.
        ws: [N, num_ws, w_dim] of the first pictures.
        names: attributes to look at.
        chosen: which codes, may repeat; an attribute that none or all of these have gives NaN.
    """
    from sklearn.metrics import average_precision_score

    assert bench.labels is not None
    by_name = {direction.name: direction for direction in directions}
    found = []
    for name in names:
        true = bench.labels[chosen, bench.attributes.index(name)]
        heights = along(ws, by_name[name].vector).numpy()[chosen]
        found.append(average_precision_score(true, heights) if 0 < true.sum() < len(true) else np.nan)
    return np.array(found)


@torch.no_grad()
def agreement(bench: Bench, images: Tensor, batch: int) -> np.ndarray:
    """Return which share of a picture's attributes the classifier still finds in its reconstruction: [N]."""
    assert bench.labels is not None
    return (states(bench, images, batch) == bench.labels[: len(images)]).mean(1)


@torch.no_grad()
def states(bench: Bench, images: Tensor, batch: int) -> np.ndarray:
    """Return which of `bench.attributes` the classifier finds in pictures: [N, A] bool."""
    assert bench.classifier is not None
    columns = [bench.classifier.names.index(name) for name in bench.attributes]
    device = bench.generator.w_avg.device
    logits = torch.cat([bench.classifier.logits(part.to(device)).cpu() for part in images.split(batch)])
    return (logits[:, columns] > 0).numpy()


@torch.no_grad()
def edits(bench: Bench, directions: Sequence[Direction], ws: Tensor, batch: int) -> Edits:
    """Edit every code along every boundary, away from the side it is on, and ask the classifier what changed."""

    def drawn(codes: Tensor) -> np.ndarray:
        parts = [bench.generator.synthesis(part.to(bench.generator.w_avg)).clamp(-1, 1) for part in codes.split(batch)]
        return states(bench, torch.cat(parts), batch)

    before = drawn(ws)  # [N, A]
    changed, kept, clean = [], [], []
    for direction in directions:
        column = bench.attributes.index(direction.name)
        sign = torch.from_numpy(np.where(before[:, column], -1.0, 1.0)).to(ws)
        for strength in STRENGTHS:
            differs = drawn(direction.apply(ws, sign * strength)) != before
            others = np.delete(differs, column, axis=1)
            changed.append(differs[:, column])
            kept.append(1 - others.mean(1))
            clean.append(differs[:, column] & (others.sum(1) <= MOST_CHANGED))
    return Edits(changed=np.mean(changed, 0), kept=np.mean(kept, 0), clean=np.mean(clean, 0))
