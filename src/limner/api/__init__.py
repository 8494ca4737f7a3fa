"""The verbs that people, the command line and the studio use.

train, generate, mix, interpolate, evaluate, figures, ladder, convert, zoo, push, pull, prepare, info.
"""

from limner.api.catalog import find_preset, presets
from limner.api.conversion import Converted, convert
from limner.api.evaluation import evaluate
from limner.api.figures import FigureSet, draw_figures
from limner.api.forecast import forecast
from limner.api.generation import generate, load, parse_label
from limner.api.ladder import LadderRequest, climb, find_ladder, ladders, plan_rungs, write_ladder
from limner.api.mixing import Mixture, mix
from limner.api.runs import DEFAULT_PRESET, Plan, RunRequest, configure
from limner.api.subjects import draw_codes
from limner.api.summaries import info
from limner.api.training import Outcome, is_first_process, is_run, new_run_folder, num_processes, outcome, train
from limner.api.walking import interpolate
from limner.api.zoo import embedded_models, fetch, is_fetched, published, pull, push
from limner.data.prepare import PrepareConfig, PrepareSummary, prepare
from limner.runtime import setup

__all__ = [
    "DEFAULT_PRESET",
    "Converted",
    "FigureSet",
    "LadderRequest",
    "Mixture",
    "Outcome",
    "Plan",
    "PrepareConfig",
    "PrepareSummary",
    "RunRequest",
    "climb",
    "configure",
    "convert",
    "draw_codes",
    "draw_figures",
    "embedded_models",
    "evaluate",
    "fetch",
    "find_ladder",
    "find_preset",
    "forecast",
    "generate",
    "info",
    "interpolate",
    "is_fetched",
    "is_first_process",
    "is_run",
    "ladders",
    "load",
    "mix",
    "new_run_folder",
    "num_processes",
    "outcome",
    "parse_label",
    "plan_rungs",
    "prepare",
    "presets",
    "published",
    "pull",
    "push",
    "setup",
    "train",
    "write_ladder",
]
