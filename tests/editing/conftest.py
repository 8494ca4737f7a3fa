"""The generators that the tests of inversion use, too."""

from __future__ import annotations

import pytest

from inversion.conftest import LinearGenerator


@pytest.fixture
def linear() -> LinearGenerator:
    return LinearGenerator()
