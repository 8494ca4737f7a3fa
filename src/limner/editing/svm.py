"""Boundaries of attributes: the normal of a linear SVM.

Source: InterFaceGAN (Shen et al. 2020), Section 3.1, with the settings of its published code: of N codes the surest 2 %
for and against an attribute, 70 % of them to fit and 30 % to judge; linear SVM, C = 1; the normal, of unit length, is
the direction. It also judges the codes in between, which no one is sure of.

Deviations:
- Scores are logits, so the codes in between are judged by their sign, not by the middle of the scores' range.
- Hand labels (two values) are all taken.
- Of few codes more than 2 % are taken: twice as many a side as a code has numbers, if there are as many.
- Codes of several layers are joined into one vector, as the author advises for w+.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from limner.editing import base
from limner.editing.base import Direction, along, unit
from limner.errors import ConfigError, ShapeError

FEWEST = 4
"""Codes an attribute must have on either side, so that there are some to fit and some to judge."""
PER_NUMBER = 2
"""Codes taken from either end for each number of a code: of fewer, a plane separates any labels."""


class Edit(base.Edit):
    """A linear SVM on codes and scores."""

    name = "svm"

    def __init__(self, *, share: float = 0.02, train_share: float = 0.7, C: float = 1.0, seed: int = 0) -> None:
        """Take hyper-parameters.

        Args:
            share: of all codes, taken from either end of the scores.
            train_share: of those taken, used to fit.
            C: weight of the errors in the SVM's loss.
            seed: of the split.
        """
        if not 0 < share <= 0.5 or not 0 < train_share < 1 or not C > 0:
            raise ConfigError(
                f"svm: got share {share:g}, train_share {train_share:g} and C {C:g}, expected shares in (0, 0.5] and "
                "(0, 1), and C above 0"
            )
        self.share, self.train_share, self.C, self.seed = share, train_share, C, seed

    def fit(self, codes: Tensor, scores: Tensor, *, attribute: str, space: base.Space) -> Edit:
        """Find the direction towards what has an attribute.

        Args:
            codes: [N, D], or [N, num_ws, w_dim] in w+.
            scores: [N] logits, above 0 where a code's picture has the attribute; or labels of two values.
            attribute: its name.
            space: where the codes live.

        Raises:
            ShapeError: not one score a code.
            ConfigError: (nearly) all codes are on one side.
        """
        from sklearn.svm import LinearSVC

        if scores.shape != (len(codes),):
            raise ShapeError(f"svm: got scores of {list(scores.shape)} for {len(codes)} codes, expected one a code")
        flat = codes.reshape(len(codes), -1).double().cpu().numpy()  # [N, L D]
        has = _has_attribute(scores.double().cpu().numpy(), attribute)
        ranked = np.argsort(-scores.double().cpu().numpy(), kind="stable")
        is_labelled = len(np.unique(scores.cpu().numpy())) == 2
        most = min(int(has.sum()), int((~has).sum()))
        count = most if is_labelled else min(max(int(len(codes) * self.share), PER_NUMBER * codes.shape[-1]), most)
        taken = (
            (ranked[: int(has.sum())], ranked[int(has.sum()) :]) if is_labelled else (ranked[:count], ranked[-count:])
        )
        rng = np.random.RandomState(self.seed)
        splits = [np.split(rng.permutation(side), [max(int(len(side) * self.train_share), 1)]) for side in taken]
        train, judge = (np.concatenate([split[part] for split in splits]) for part in (0, 1))
        machine = LinearSVC(C=self.C, dual="auto", random_state=self.seed, max_iter=10_000).fit(flat[train], has[train])
        between = np.setdiff1d(ranked, np.concatenate(taken))
        numbers = {"heldout_accuracy": float(machine.score(flat[judge], has[judge])), "share": float(has.mean())}
        if len(between):
            numbers["middle_accuracy"] = float(machine.score(flat[between], has[between]))
        vector = unit(torch.from_numpy(machine.coef_[0]).reshape(codes.shape[1:])).float()
        self.directions_ = [
            Direction(
                name=attribute,
                space=space,
                vector=vector,
                deviation=along(codes.cpu().float(), vector).std().item(),
                source="svm",
                numbers=numbers,
            )
        ]
        return self


def _has_attribute(scores: np.ndarray, attribute: str) -> np.ndarray:
    """Return which codes have the attribute; with two values, those of the higher one."""
    values = np.unique(scores)
    has = scores == values[-1] if len(values) == 2 else scores > 0
    if min(has.sum(), (~has).sum()) < FEWEST:
        raise ConfigError(
            f"attribute '{attribute}': {int(has.sum())} of {len(scores)} codes have it, expected at least {FEWEST} "
            "with and without; sample more codes, or leave it out"
        )
    return has
