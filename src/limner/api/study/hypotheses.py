"""What the papers found, asked again: each claim is a difference between two trials with its paired interval.

Sources: IDInvert paper (Zhu et al. 2020), Table 1, Figures 6, 9 and 10; StyleGAN paper, Table 4; StyleGAN2 paper,
Section 5; PTI (Roich et al. 2022), Table 2; Image2StyleGAN for W against W+.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from limner.api.study.measuring import MEASURES, SET_MEASURES, Measured, Measurer
from limner.inversion.engine.attribution import Estimate, calibrate

Outcome = Literal["held", "did not hold", "undecided", "reported", "not measured"]
ENOUGH_AUC = 0.9
"""Area under the curve that telling generated from real pictures should reach."""
SWEEP = ("from-encoder", "lambda-0.5", "in-domain", "lambda-10", "lambda-40")
"""Contenders by the weight of the in-domain term: 0, 0.5, 2, 10, 40."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One comparison."""

    text: str
    estimate: Estimate | None
    """Of the difference that should be below 0; None: not measured."""

    @property
    def outcome(self) -> Outcome:
        """Whether the interval lies below 0, above, or across."""
        if self.estimate is None:
            return "not measured"
        return "held" if self.estimate.high < 0 else "did not hold" if self.estimate.low > 0 else "undecided"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A hypothesis with its claims."""

    name: str
    statement: str
    claims: tuple[Claim, ...]
    is_ordered: bool = True
    """Whether an ordering is expected; otherwise the difference is reported alone."""

    @property
    def outcome(self) -> Outcome:
        """`held` if all claims did, `did not hold` if one was contradicted, `undecided` in between."""
        outcomes = {claim.outcome for claim in self.claims}
        if outcomes <= {"not measured"}:
            return "not measured"
        if not self.is_ordered:
            return "reported"
        if "did not hold" in outcomes:
            return "did not hold"
        return "held" if outcomes == {"held"} else "undecided"


def verdicts(
    measurer: Measurer, found: Mapping[str, Measured], separability: Mapping[str, np.ndarray]
) -> list[Verdict]:
    """Return what became of the hypotheses.

    Args:
        measurer: compares trials.
        found: name of a trial -> its numbers.
        separability: `w` and `z` -> scores of the same seeds [S]; empty: not measured.
    """
    lower, higher = _Ordered(measurer, found, 1), _Ordered(measurer, found, -1)
    sweep = list(itertools.pairwise(SWEEP))
    return [
        Verdict(
            name="H1",
            statement="An encoder is much faster than 100 updates, which are faster than a long optimisation.",
            claims=(lower("seconds", "guided", "in-domain"), lower("seconds", "in-domain", "long")),
        ),
        Verdict(
            name="H2",
            statement="Error: conventional encoder, then domain-guided encoder, then in-domain inversion.",
            claims=(
                *lower.each(("mse", "perceptual"), "guided", "conventional"),
                *lower.each(("mse", "perceptual"), "in-domain", "guided"),
            ),
        ),
        Verdict(
            name="H3",
            statement="Frechet distance: conventional, then free optimisation, then domain-guided, then in-domain.",
            claims=(
                lower("fd", "optimise", "conventional"),
                lower("fd", "guided", "optimise"),
                lower("fd", "in-domain", "guided"),
            ),
        ),
        Verdict(
            name="H4",
            statement="Sliced Wasserstein distance: conventional, then free optimisation, then the other two.",
            claims=(
                lower("swd", "optimise", "conventional"),
                lower("swd", "guided", "optimise"),
                lower("swd", "in-domain", "optimise"),
            ),
        ),
        Verdict(
            name="H5",
            statement="Error of in-domain inversion against a long free optimisation: the published sets disagree.",
            claims=(lower("mse", "in-domain", "long"),),
            is_ordered=False,
        ),
        Verdict(
            name="H6",
            statement="A larger in-domain weight means more error, and codes that an encoder finds again.",
            claims=(
                *(lower("mse", low, high) for low, high in sweep),
                *(lower("self_consistency", high, low) for low, high in sweep),
                lower("mahalanobis", "lambda-40", "from-encoder"),
                higher("realness", "lambda-40", "from-encoder"),
                higher("precision", "lambda-40", "from-encoder"),
            ),
        ),
        Verdict(
            name="H7",
            statement="Codes of in-domain inversion are more in the domain than those of free optimisation.",
            claims=tuple(
                claim
                for other in ("optimise", "random")
                for claim in (
                    lower("mahalanobis", "in-domain", other),
                    higher("realness", "in-domain", other),
                    higher("precision", "in-domain", other),
                    lower("fd_midpoints", "in-domain", other),
                )
            ),
        ),
        Verdict(
            name="H7b",
            statement="The domain-guided encoder's codes are in the domain at least as much as in-domain inversion's.",
            claims=(
                lower("mahalanobis", "guided", "in-domain"),
                higher("realness", "guided", "in-domain"),
                higher("precision", "guided", "in-domain"),
            ),
        ),
        Verdict(
            name="H8",
            statement="Where an optimisation starts matters: from the encoder's code it gets further.",
            claims=(lower("mse", "from-encoder", "optimise"), lower("mse", "from-encoder", "random")),
        ),
        Verdict(
            name="H9",
            statement="W+ fits better than W, and is edited worse.",
            claims=(lower("mse", "optimise", "w"), higher("clean", "w", "optimise")),
        ),
        Verdict(
            name="H10",
            statement="Pivotal tuning has the least error.",
            claims=(lower("mse", "pti", "optimise"), lower("mse", "pti", "in-domain"), lower("mse", "pti", "project")),
        ),
        Verdict(
            name="H11",
            statement="Attributes are separated better by planes in W than in Z.",
            claims=(_separability(separability),),
        ),
        Verdict(
            name="H12",
            statement=f"The projector tells generated from real pictures: area under the curve above {ENOUGH_AUC:g}.",
            claims=(_attribution(found),),
        ),
        Verdict(
            name="H13",
            statement="Outside the domain, free optimisation fits with codes outside W; in-domain inversion does not.",
            claims=(
                lower("mse", "optimise", "in-domain", "outside"),
                lower("mahalanobis", "in-domain", "optimise", "outside"),
                higher("realness", "in-domain", "optimise", "outside"),
            ),
        ),
    ]


class _Ordered:
    """Claims that a number of one trial is lower than that of another; with `sign` -1, that it is higher."""

    def __init__(self, measurer: Measurer, found: Mapping[str, Measured], sign: int) -> None:
        self.measurer, self.found, self.sign = measurer, found, sign

    def __call__(self, measure: str, a: str, b: str, pictures: str = "held-out") -> Claim:
        first, second = (self.found.get(f"{pictures}-{name}") for name in (a, b))
        what = MEASURES[measure][0] if measure in MEASURES else SET_MEASURES[measure]
        text = f"{what}: {a} {'below' if self.sign > 0 else 'above'} {b}"
        if first is None or second is None:
            return Claim(text=text, estimate=None)
        if self.sign < 0:
            first, second = second, first
        return Claim(text=text, estimate=self.measurer.difference(first, second, measure))

    def each(self, names: Sequence[str], a: str, b: str) -> tuple[Claim, ...]:
        """Return one claim a measure."""
        return tuple(self(name, a, b) for name in names)


def _separability(scores: Mapping[str, np.ndarray]) -> Claim:
    """The least and the most of the seeds stand for an interval."""
    text = "linear separability, log2: W below Z (range over seeds)"
    if not scores:
        return Claim(text=text, estimate=None)
    differences = np.log2(scores["w"]) - np.log2(scores["z"])
    return Claim(
        text=text, estimate=Estimate(float(differences.mean()), float(differences.min()), float(differences.max()))
    )


def _attribution(found: Mapping[str, Measured]) -> Claim:
    made, real = found.get("made-project"), found.get("held-out-project")
    text = f"{ENOUGH_AUC:g} below the area under the curve"
    if made is None or real is None:
        return Claim(text=text, estimate=None)
    name = "perceptual" if "perceptual" in made.numbers else "mse"
    auc = calibrate(made.numbers[name], real.numbers[name])["auc"]
    return Claim(text=text, estimate=Estimate(ENOUGH_AUC - auc.value, ENOUGH_AUC - auc.high, ENOUGH_AUC - auc.low))
