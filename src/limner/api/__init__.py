"""The verbs that people, the command line and the studio use: train, generate, mix, interpolate, prepare, info."""

from limner.api.catalog import find_preset, presets
from limner.api.forecast import forecast
from limner.api.generation import generate, load, parse_label
from limner.api.mixing import Mixture, mix
from limner.api.runs import DEFAULT_PRESET, Plan, RunRequest, configure
from limner.api.summaries import info
from limner.api.training import Outcome, is_first_process, is_run, new_run_folder, num_processes, outcome, train
from limner.api.walking import interpolate
from limner.data.prepare import PrepareConfig, PrepareSummary, prepare
from limner.runtime import setup

__all__ = [
    "DEFAULT_PRESET",
    "Mixture",
    "Outcome",
    "Plan",
    "PrepareConfig",
    "PrepareSummary",
    "RunRequest",
    "configure",
    "find_preset",
    "forecast",
    "generate",
    "info",
    "interpolate",
    "is_first_process",
    "is_run",
    "load",
    "mix",
    "new_run_folder",
    "num_processes",
    "outcome",
    "parse_label",
    "prepare",
    "presets",
    "setup",
    "train",
]
