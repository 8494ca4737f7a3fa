"""Descent: Adam a picture at a time, and the best step of each."""

from __future__ import annotations

import pytest
import torch

from limner.errors import NonFiniteError
from limner.inversion.engine.descent import Best, Evaluation, descend


def evaluation(*losses: float) -> Evaluation:
    loss = torch.tensor(losses)
    return Evaluation(loss=loss, terms={"pixel": 2 * loss}, images=loss[:, None], parts={"ws": -loss[:, None, None]})


def test_each_picture_keeps_its_own_best_step() -> None:
    best = Best()
    for number, losses in enumerate([(3.0, 1.0), (2.0, 5.0), (4.0, 0.5), (float("nan"), 0.5)]):
        best.offer(number, evaluation(*losses))
    assert best.step.tolist() == [1, 2]
    assert best.losses["loss"].tolist() == [2.0, 0.5]
    assert best.losses["pixel"].tolist() == [4.0, 1.0]
    assert best.kept["images"].tolist() == [[2.0], [0.5]]
    assert best.kept["ws"].tolist() == [[[-2.0]], [[-0.5]]]


def test_a_picture_without_a_finite_loss_is_named() -> None:
    best = Best()
    best.offer(0, evaluation(1.0, float("nan")))
    with pytest.raises(NonFiniteError, match="no step of picture 1 had a finite loss"):
        _ = best.losses


def test_steps_are_those_of_adam_alone_and_the_last_state_counts() -> None:
    target = torch.tensor([[1.0], [-2.0]])
    code = torch.zeros(2, 1, requires_grad=True)
    seen: list[int] = []

    def evaluate(share: float) -> Evaluation:
        loss = (code - target).square().sum(1)
        return Evaluation(loss=loss, terms={}, images=code, parts={"code": code})

    best = descend([code], evaluate, steps=5, lr=lambda share: 0.1, on_step=lambda step: seen.append(step.number))
    alone = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([alone], lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (alone - target[0]).square().sum().backward()
        optimizer.step()
    assert seen == [0, 1, 2, 3, 4, 5]
    assert torch.equal(best.kept["code"][0], alone.detach())
    assert best.step.tolist() == [5, 5]


def test_the_learning_rate_is_a_function_of_the_share_done() -> None:
    shares: list[float] = []
    code = torch.zeros(1, 1, requires_grad=True)

    def lr(share: float) -> float:
        shares.append(share)
        return 0.1

    def evaluate(share: float) -> Evaluation:
        return Evaluation(loss=code.sum(1), terms={}, images=code, parts={})

    descend([code], evaluate, steps=4, lr=lr, on_step=lambda step: None)
    assert shares == [0.0, 0.25, 0.5, 0.75]
