"""Accuracies of a classifier in closed form, its mistakes, and where it does not belong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from limner.errors import ConfigError
from limner.training.callbacks.accuracy import accuracies, mistakes, summary
from training.runs import run, tiny

HAS = torch.tensor([[True, False], [True, False], [True, True], [False, False]])
LOGITS = torch.tensor([[2.0, -1.0], [-3.0, 0.5], [1.0, 4.0], [-1.0, -2.0]])
"""Wrong: picture 1 about both attributes."""


def test_accuracies_are_shares_of_right_answers() -> None:
    values = accuracies(LOGITS, HAS, ("hat", "dog"))
    assert values["accuracy/hat"] == values["accuracy/dog"] == values["accuracy"] == 0.75
    hat = (2 / 3 + 1) / 2
    dog = (1 + 2 / 3) / 2
    assert values["balanced_accuracy"] == pytest.approx((hat + dog) / 2)


def test_always_the_commoner_answer_is_half_right_when_balanced() -> None:
    has = torch.arange(100)[:, None] < 5
    values = accuracies(torch.full((100, 1), -1.0), has, ("rare",))
    assert values["accuracy"] == pytest.approx(0.95)
    assert values["balanced_accuracy"] == pytest.approx(0.5)


def test_an_attribute_no_picture_held_out_has_counts_by_the_others() -> None:
    values = accuracies(torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1, dtype=torch.bool), ("never",))
    assert values["balanced_accuracy"] == 0.5


def test_the_surest_mistakes_come_first() -> None:
    assert mistakes(LOGITS, HAS) == [(1, 0), (1, 1)]
    assert mistakes(-LOGITS, ~HAS) == [(1, 0), (1, 1)]
    assert mistakes(torch.where(HAS, 1.0, -1.0), HAS) == []


def test_the_line_names_the_hardest_attributes() -> None:
    values = {"accuracy": 0.875, "balanced_accuracy": 0.75, "accuracy/hat": 0.9, "accuracy/dog": 0.85}
    assert summary(values, 1200) == "held out 1,200: accuracy 87.5%, balanced 75.0%; hardest dog 85.0%, hat 90.0%"


def test_a_run_without_a_classifier_has_no_accuracy(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'accuracy' is for runs that train a classifier.*stylegan2-tiny"):
        run(tiny(pictures, 1, callbacks__names="accuracy"), tmp_path / "run")
