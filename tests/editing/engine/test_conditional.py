"""Conditional manipulation: what is left is orthogonal to every condition."""

from __future__ import annotations

import pytest
import torch

from limner.editing.base import Direction, Space, along, unit
from limner.editing.engine.conditional import conditioned
from limner.errors import ConfigError

STREAM = torch.Generator().manual_seed(0)
CODES = torch.randn(500, 3, 12, generator=STREAM) * 2


def direction(name: str, space: Space = "w", layers: int = 3) -> Direction:
    shape = (layers, 12) if space == "w+" else (12,)
    return Direction(name=name, space=space, vector=unit(torch.randn(shape, generator=STREAM)), deviation=1.0)


def test_one_condition_is_the_papers_formula() -> None:
    smile, age = direction("smile"), direction("age")
    left = conditioned(smile, [age], CODES)
    expected = smile.vector - (smile.vector @ age.vector) * age.vector
    assert torch.allclose(left.vector, expected / expected.norm(), atol=1e-6)
    assert left.name == "smile given age"


@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_any_number_of_conditions_is_left_alone(count: int) -> None:
    given = [direction(str(i)) for i in range(count)]
    left = conditioned(direction("smile"), given, CODES)
    assert max(abs((left.vector @ way.vector).item()) for way in given) < 1e-6
    assert torch.isclose(left.vector.norm(), torch.tensor(1.0))
    assert abs(left.deviation - along(CODES, left.vector).std().item()) < 1e-6


def test_conditions_that_are_alike_do_no_harm() -> None:
    smile, age = direction("smile"), direction("age")
    twin = Direction(name="twin", space="w", vector=age.vector + 1e-9, deviation=1.0)
    assert torch.allclose(
        conditioned(smile, [age, age, twin], CODES).vector, conditioned(smile, [age], CODES).vector, atol=1e-5
    )


@pytest.mark.parametrize("spaces", [("w+", "w"), ("w", "w+"), ("w+", "w+")])
def test_layers_are_projected_one_by_one(spaces: tuple[Space, Space]) -> None:
    smile, age = (direction(name, space) for name, space in zip(("smile", "age"), spaces, strict=True))
    left = conditioned(smile, [age], CODES)
    assert (left.space, left.vector.shape) == ("w+", (3, 12))
    assert (left.vector * age.vector).sum(-1).abs().max() < 1e-6


def test_nothing_left_and_mixed_spaces_are_refused() -> None:
    smile = direction("smile")
    with pytest.raises(ConfigError, match="nothing is left of 'smile' without smile"):
        conditioned(smile, [smile], CODES)
    with pytest.raises(ConfigError, match="got directions in w and z, expected one space"):
        conditioned(smile, [direction("age", "z")], CODES)


def test_no_condition_changes_nothing() -> None:
    smile = direction("smile")
    assert conditioned(smile, [], CODES) is smile
