"""Requests that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from api.study.conftest import Make
from limner.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num": 1}, "study.num: got 1"),
        ({"steps": 0}, "study.steps: got 0"),
        ({"batch": 0}, "study.batch: got 0"),
        ({"parts": ("reconstruct", "swep")}, "parts: got 'swep', .*Did you mean 'sweep'"),
    ],
)
def test_numbers_out_of_range_and_unknown_parts_are_refused(make: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**changes)
