"""What codes carry: boundaries against true attributes, and edits counted, on codes that are their own pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.api.study import semantics
from limner.editing.base import Direction
from limner.metrics.engine.networks import Attributes

pytest.importorskip("sklearn", reason="average precision")
NAMES = ("A", "B", "C")


class Plain:
    """A generator whose pictures [N, 3, 1, 1] are the first layer of the code, and which takes no clamping amiss."""

    w_avg = torch.zeros(3)

    def synthesis(self, ws: Tensor) -> Tensor:
        return ws[:, 0, :, None, None]


def bench(labels: np.ndarray) -> Any:
    """Attribute k is whether number k of the code is positive."""
    classifier = Attributes(NAMES, lambda images: images[:, :, 0, 0])
    return SimpleNamespace(generator=Plain(), classifier=classifier, attributes=NAMES, labels=labels)


def axis(place: int, *, deviation: float = 0.5) -> Direction:
    return Direction(name=NAMES[place], space="w", vector=torch.eye(3)[place], deviation=deviation)


def test_a_boundary_that_ranks_as_the_attributes_do_is_precise_and_one_that_does_not_is_at_chance() -> None:
    labels = np.random.RandomState(0).rand(400, 3) < 0.3
    codes = torch.from_numpy(np.where(labels, 0.5, -0.5)).float()[:, None].expand(-1, 2, -1)
    blurred = codes + 0.01 * torch.randn(400, 1, 3, generator=torch.Generator().manual_seed(0))
    directions = [axis(0), Direction(name="B", space="w", vector=torch.eye(3)[2], deviation=1.0)]
    found = semantics.precisions(bench(labels), directions, blurred, ["A", "B"], np.arange(400))
    assert found[0] == 1
    assert found[1] == pytest.approx(labels[:, 1].mean(), abs=0.12)


def test_a_set_without_an_attribute_has_no_precision() -> None:
    labels = np.array([[True, False, False]] * 4 + [[False, True, False]] * 4)
    found = semantics.precisions(bench(labels), [axis(0)], torch.zeros(8, 1, 3), ["A"], np.array([0, 1, 2]))
    assert np.isnan(found[0])


def test_attributes_need_enough_pictures_with_and_without() -> None:
    labels = np.zeros((12, 3), bool)
    labels[:4, 0] = True
    labels[:3, 1] = True
    assert semantics.usable(bench(labels), 12) == ["A"]
    assert semantics.usable(bench(labels), 6) == []


def test_an_edit_that_goes_far_enough_changes_its_attribute_and_no_other() -> None:
    codes = torch.tensor([[[0.6, 0.9, -0.9]], [[-0.2, 0.9, 0.9]]])
    found = semantics.edits(bench(np.zeros((2, 3), bool)), [axis(0)], codes, batch=1)
    assert found.changed == pytest.approx([2 / 3, 1])  # 0.6 is crossed by steps of 1 and 1.5, 0.2 by all
    assert found.kept == pytest.approx([1, 1])
    assert found.clean == pytest.approx([2 / 3, 1])


def test_an_edit_that_changes_two_others_is_not_clean() -> None:
    slanted = Direction(name="A", space="w", vector=torch.ones(3) / 3**0.5, deviation=3.0)
    codes = torch.tensor([[[0.1, 0.1, 0.1]]])
    found = semantics.edits(bench(np.zeros((1, 3), bool)), [slanted], codes, batch=1)
    assert (found.changed[0], found.kept[0], found.clean[0]) == (1, 0, 0)


def test_agreement_is_the_share_of_attributes_still_found() -> None:
    labels = np.array([[True, True, False], [False, False, False]])
    images = torch.tensor([[0.5, -0.5, -0.5], [-1, -1, -1]])[:, :, None, None]
    assert semantics.agreement(bench(labels), images, batch=2) == pytest.approx([2 / 3, 1])
