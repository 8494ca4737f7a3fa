"""Options that verbs share."""

from __future__ import annotations

import pytest

from limner.cli.options import parse_resolution
from limner.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "resolution"), [("64", (64, 64)), ("64x48", (64, 48)), ("8X16", (8, 16)), (None, None)]
)
def test_a_resolution_is_a_side_or_height_by_width(text: str | None, resolution: tuple[int, int] | None) -> None:
    assert parse_resolution(text) == resolution


@pytest.mark.parametrize("text", ["", "big", "64x", "x64", "1x2x3", "-64", "64.5", "٣"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"resolution: got .* expected a side such as 64"):
        parse_resolution(text)
