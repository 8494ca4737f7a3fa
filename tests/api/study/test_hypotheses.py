"""What becomes of claims and hypotheses."""

from __future__ import annotations

import pytest

from limner.api.study.hypotheses import Claim, Verdict
from limner.inversion.engine.attribution import Estimate

BELOW, ABOVE, ACROSS = Estimate(-2, -3, -1), Estimate(2, 1, 3), Estimate(0.5, -1, 2)


@pytest.mark.parametrize(
    ("estimate", "outcome"),
    [(BELOW, "held"), (ABOVE, "did not hold"), (ACROSS, "undecided"), (None, "not measured")],
)
def test_a_claim_holds_when_its_interval_lies_below_zero(estimate: Estimate | None, outcome: str) -> None:
    assert Claim(text="a below b", estimate=estimate).outcome == outcome


@pytest.mark.parametrize(
    ("estimates", "outcome"),
    [
        ([BELOW, BELOW], "held"),
        ([BELOW, ABOVE], "did not hold"),
        ([BELOW, ACROSS], "undecided"),
        ([BELOW, None], "undecided"),
        ([ABOVE, None], "did not hold"),
        ([None, None], "not measured"),
    ],
)
def test_a_hypothesis_holds_when_all_its_claims_do(estimates: list[Estimate | None], outcome: str) -> None:
    claims = tuple(Claim(text="", estimate=estimate) for estimate in estimates)
    assert Verdict(name="H", statement="", claims=claims).outcome == outcome


def test_without_an_expected_order_the_difference_is_only_reported() -> None:
    for estimate in (BELOW, ABOVE, ACROSS):
        claims = (Claim(text="", estimate=estimate),)
        assert Verdict(name="H5", statement="", claims=claims, is_ordered=False).outcome == "reported"
