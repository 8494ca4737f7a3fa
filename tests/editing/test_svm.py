"""The SVM finds a direction that was planted, and says how sure it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limner.editing import svm
from limner.editing.base import unit
from limner.errors import ConfigError, ShapeError

STREAM = torch.Generator().manual_seed(0)
PLANTED = unit(torch.randn(16, generator=STREAM))
CODES = torch.randn(4000, 16, generator=STREAM)
SCORES = CODES @ PLANTED * 3


def cosine(a: Tensor, b: Tensor) -> float:
    return torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()


@pytest.mark.parametrize("scores", [SCORES, (SCORES > 0).float(), torch.where(SCORES > 0, 5.0, -7.0)])
def test_a_planted_direction_is_found_from_logits_and_from_labels(scores: Tensor) -> None:
    way = svm.Edit(share=0.1).fit(CODES, scores, attribute="smile", space="w").direction_
    assert cosine(way.vector, PLANTED) > 0.98
    assert torch.isclose(way.vector.norm(), torch.tensor(1.0))
    assert way.numbers["heldout_accuracy"] > 0.97
    assert abs(way.numbers["share"] - 0.5) < 0.03
    assert abs(way.deviation - 1.0) < 0.05
    assert (way.name, way.space, way.source) == ("smile", "w", "svm")


def test_codes_in_between_are_judged_when_there_are_some() -> None:
    assert svm.Edit().fit(CODES, SCORES, attribute="a", space="w").direction_.numbers["middle_accuracy"] > 0.9
    assert (
        "middle_accuracy"
        not in svm.Edit().fit(CODES, (SCORES > 0).float(), attribute="a", space="w").direction_.numbers
    )


def test_of_few_codes_more_are_taken_than_their_share() -> None:
    way = svm.Edit().fit(CODES[:300], SCORES[:300], attribute="a", space="w").direction_
    assert cosine(way.vector, PLANTED) > 0.9
    assert way.numbers["heldout_accuracy"] > 0.9


def test_labels_without_meaning_are_told_by_chance() -> None:
    labels = (torch.rand(4000, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    numbers = svm.Edit().fit(CODES, labels, attribute="noise", space="w").direction_.numbers
    assert abs(numbers["heldout_accuracy"] - 0.5) < 0.06


def test_layers_are_joined_and_a_layer_that_decides_nothing_gets_little() -> None:
    codes = torch.randn(3000, 2, 8, generator=torch.Generator().manual_seed(4))
    planted = unit(torch.randn(8, generator=torch.Generator().manual_seed(5)))
    way = svm.Edit(share=0.2).fit(codes, codes[:, 1] @ planted, attribute="hat", space="w+").direction_
    assert way.vector.shape == (2, 8)
    assert torch.isclose(way.vector.square().sum(1).mean(), torch.tensor(1.0))
    assert way.vector[0].norm() < 0.2 * way.vector[1].norm()
    assert cosine(way.vector[1], planted) > 0.95


def test_a_fit_repeats() -> None:
    first, second = (svm.Edit(seed=1).fit(CODES, SCORES, attribute="a", space="w").direction_ for _ in range(2))
    assert torch.equal(first.vector, second.vector)
    assert first.numbers == second.numbers


@pytest.mark.parametrize("scores", [torch.ones(4000), -torch.ones(4000), torch.tensor([1.0] * 3 + [-1.0] * 3997)])
def test_an_attribute_with_one_class_is_refused(scores: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"attribute 'smile': (4000|0|3) of 4000 codes have it, expected at least 4"):
        svm.Edit().fit(CODES, scores, attribute="smile", space="w")


def test_settings_and_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected shares in"):
        svm.Edit(share=0.7)
    with pytest.raises(ShapeError, match=r"got scores of \[3\] for 4000 codes"):
        svm.Edit().fit(CODES, torch.zeros(3), attribute="a", space="w")
