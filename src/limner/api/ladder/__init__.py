"""Ladders: every rung of a paper's ablation table, trained with one budget and one seed, measured, and compared."""

from limner.api.ladder.climbing import RungResult, climb
from limner.api.ladder.planning import LadderRequest, find_ladder, ladders, plan_rungs
from limner.api.ladder.writing import write_ladder

__all__ = [
    "LadderRequest",
    "RungResult",
    "climb",
    "find_ladder",
    "ladders",
    "plan_rungs",
    "write_ladder",
]
