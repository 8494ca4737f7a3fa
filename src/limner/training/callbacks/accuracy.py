"""Judges a classifier on the pictures held out, at every snapshot, and shows its worst mistakes.

`metrics.jsonl` and the snapshot's `metrics.json` get

    accuracy            share of right answers, mean over attributes
    balanced_accuracy   mean of the shares among the pictures with and without an attribute, over attributes; 0.5 is
                        guessing, however rare an attribute is
    accuracy/NAME       share of right answers about an attribute

and `samples` a sheet of the surest wrong answers, each with what the classifier holds to be likely (in percent) and the
label, `+` or `-`. The values are left in `context.shared["metrics"]`, and the most accurate snapshot in
`context.shared["best"]`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from limner import images
from limner.data.base import Dataset
from limner.data.decode import to_picture
from limner.errors import ConfigError
from limner.papers.base import Classifier
from limner.training import records
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.callbacks.samples import BATCH_PIXELS, FOLDER
from limner.training.clock import sample_name
from limner.training.history import METRICS_NAME
from limner.training.state import TrainingState

MISTAKES = 36
"""Most wrong answers on a sheet."""


def make(context: CallbackContext) -> Callback:
    """Return the callback.

    Raises:
        ConfigError: the run trains no classifier, or holds no pictures out.
    """
    if context.config.classifier is None or context.held_out is None:
        raise ConfigError(
            "callbacks.names: 'accuracy' is for runs that train a classifier and hold pictures out, preset "
            f"{context.config.preset} does not; drop it, or set data.held_out"
        )
    return Accuracy(context, context.held_out)


class Accuracy(Callback):
    """See the module."""

    def __init__(self, context: CallbackContext, held_out: Dataset) -> None:
        super().__init__(context)
        self._held_out = held_out
        self._path = context.run_dir / METRICS_NAME
        self._written_nimg = -1

    def on_start(self, state: TrainingState) -> None:
        """Drop values that lie ahead of the state, and take up its best snapshot."""
        records.rewind(self._path, state.nimg / 1000)
        if state.best is not None:
            self.context.shared["best"] = dict(state.best)

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Judge when this tick ends with a snapshot."""
        if not stats.get("snapshot"):
            return
        C = state.C
        assert C is not None
        started = time.monotonic()
        C.eval()
        logits, has = judged(C, self._held_out, self.context.device)
        C.train()
        values, kimg = accuracies(logits, has, C.attributes), state.nimg / 1000
        seconds = time.monotonic() - started
        records.append(self._path, {"kimg": kimg, "time": time.time(), "seconds": seconds, "metrics": values})
        self.context.shared["metrics"] = values
        best = self.context.shared.get("best")
        if best is None or values["accuracy"] > best["value"]:
            self.context.shared["best"] = {"value": values["accuracy"], "kimg": kimg}
        self._show(logits, has, C.attributes, sample_name(state.nimg))
        if not self.context.quiet:
            print(summary(values, len(self._held_out)), flush=True)

    def _show(self, logits: Tensor, has: Tensor, names: Sequence[str], name: str) -> None:
        """Write the sheet of mistakes; without one there is none."""
        wrong = mistakes(logits, has)[:MISTAKES]
        if not wrong:
            return
        pictures = [to_picture(self._held_out.image(picture)) for picture, _ in wrong]
        likely = logits.sigmoid() * 100
        captions = [f"{'+' if has[at] else '-'} {names[at[1]]} {likely[at]:.0f}" for at in wrong]
        path = self.context.run_dir / FOLDER / f"{name}.png"
        self.context.shared["grid"] = images.save_png(images.contact_sheet(pictures, captions), path)


@torch.no_grad()
def judged(C: Classifier, dataset: Dataset, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the logits [N, A] of all pictures of a data set, and which of them have each attribute, bool [N, A]."""
    height, width = dataset.resolution
    batch = min(max(BATCH_PIXELS // (height * width), 1), 64)
    logits, has = [], []
    for start in range(0, len(dataset), batch):
        numbers = np.arange(start, min(start + batch, len(dataset)))
        pixels = torch.from_numpy(np.stack([dataset.image(int(i)) for i in numbers])).to(device)
        logits.append(C(pixels.float() / 127.5 - 1).cpu())
        has.append(C.targets(torch.from_numpy(dataset.label_vectors(numbers))) > 0)
    return torch.cat(logits), torch.cat(has)


def accuracies(logits: Tensor, has: Tensor, names: Sequence[str]) -> dict[str, float]:
    """Return the values that the module names.

    Args:
        logits: [N, A].
        has: bool [N, A], the truth.
        names: of the attributes.
    """
    right = ((logits > 0) == has).double()  # [N, A]
    among = [torch.where(side, right, torch.nan).nanmean(0) for side in (has, ~has)]
    values = {"accuracy": right.mean(), "balanced_accuracy": torch.stack(among).nanmean(0).mean()}
    values |= {f"accuracy/{name}": share for name, share in zip(names, right.mean(0), strict=True)}
    return {name: float(value) for name, value in values.items()}


def mistakes(logits: Tensor, has: Tensor) -> list[tuple[int, int]]:
    """Return (picture, attribute) of every wrong answer, the surest first."""
    wrong = ((logits > 0) != has).nonzero()  # [M, 2]
    order = logits.abs()[wrong[:, 0], wrong[:, 1]].argsort(descending=True, stable=True)
    return [(int(picture), int(attribute)) for picture, attribute in wrong[order].tolist()]


def summary(values: Mapping[str, float], count: int) -> str:
    """Return one line on accuracies: the means, and the attributes that are hardest."""
    parts = sorted((value, name.partition("/")[2]) for name, value in values.items() if "/" in name)
    hardest = ", ".join(f"{name} {value:.1%}" for value, name in parts[:3])
    return (
        f"held out {count:,}: accuracy {values['accuracy']:.1%}, balanced {values['balanced_accuracy']:.1%}; "
        f"hardest {hardest}"
    )
