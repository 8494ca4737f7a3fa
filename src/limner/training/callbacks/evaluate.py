"""Measures G_ema at every snapshot and appends the values to metrics.jsonl.

It leaves the values in `context.shared["metrics"]` and the best snapshot by the first metric in
`context.shared["best"]`. The first evaluation of a run also measures real pictures against other real pictures, what a
perfect generator would score; that record carries `"control": true`. An evaluation that fails is reported on one line
and recorded with its error, and training goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from limner.metrics import runner
from limner.metrics.base import Result
from limner.metrics.engine.cache import default_folder
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.training import records
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.clock import duration_text
from limner.training.history import METRICS_NAME
from limner.training.state import TrainingState


def make(context: CallbackContext) -> Callback:
    """Return the callback; without metrics it does nothing.

    Raises:
        ConfigError: a metric's name is unknown.
        WeightsError: the weights of a network it needs are missing.
    """
    networks = Networks(context.device)
    for name in context.config.callbacks.metrics:
        for network in sorted(runner.find(name).networks() - {""}):
            networks.get(network)
    return Evaluate(context) if context.config.callbacks.metrics else Callback(context)


class Evaluate(Callback):
    """See the module."""

    def __init__(self, context: CallbackContext) -> None:
        super().__init__(context)
        self._names = [runner.find(name).name for name in context.config.callbacks.metrics]
        self._path = context.run_dir / METRICS_NAME

    def on_start(self, state: TrainingState) -> None:
        """Drop values that lie ahead of the state, and take up its best snapshot."""
        records.rewind(self._path, state.nimg / 1000)
        if state.best is not None:
            self.context.shared["best"] = dict(state.best)
        self._has_control = any(record.get("control") for record in records.read(self._path))

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Measure when this tick ends with a snapshot."""
        if not stats.get("snapshot"):
            return
        context = self.context
        context.shared.pop("metrics", None)
        kimg = state.nimg / 1000
        if not self._has_control:
            self._measure(
                kimg,
                lambda names: runner.control(names, context.dataset, networks=self._networks(), cache=default_folder()),
                control=True,
            )
            self._has_control = True
        values = self._measure(kimg, lambda names: self._evaluate(names, state))
        if values:
            context.shared["metrics"] = values
        if self._names[0] in values:
            self._keep_best(values[self._names[0]], kimg)

    def _evaluate(self, names: Sequence[str], state: TrainingState) -> list[Result]:
        context, G = self.context, state.G_ema
        assert G is not None
        return runner.evaluate(
            names,
            GeneratorPictures(G, context.dataset, device=context.device),
            DatasetPictures(context.dataset),
            networks=self._networks(),
            cache=default_folder(),
        )

    def _networks(self) -> Networks:
        """Return feature networks that are let go after a measurement: training needs the memory."""
        return Networks(self.context.device)

    def _measure(
        self, kimg: float, run: Callable[[Sequence[str]], list[Result]], control: bool = False
    ) -> dict[str, float]:
        """Compute, record and report all metrics at once; where that fails, one by one, so that one fails alone."""
        started = time.monotonic()
        results, errors = _attempt(run, self._names)
        if errors and len(self._names) > 1:
            parts = [_attempt(run, [name]) for name in self._names]
            results = [result for part, _ in parts for result in part]
            errors = {name: error for _, part in parts for name, error in part.items()}
        seconds = time.monotonic() - started
        values = {name: value for result in results for name, value in result.values.items()}
        record = {"kimg": kimg, "time": time.time(), "seconds": seconds, "metrics": values}
        record["protocols"] = {result.name: result.protocol() for result in results}
        record |= {"control": True} if control else {}
        record |= {"errors": errors} if errors else {}
        records.append(self._path, record)
        for name, error in errors.items():
            print(f"metric {name} failed: {error}; training goes on", file=sys.stderr, flush=True)
        if values and not self.context.quiet:
            subject = "real pictures " if control else ""
            numbers = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(f"{subject}{numbers}  ({duration_text(seconds)})", flush=True)
        return values

    def _keep_best(self, value: float, kimg: float) -> None:
        best = self.context.shared.get("best")
        sign = 1 if runner.find(self._names[0]).lower_is_better else -1
        if best is None or sign * value < sign * best["value"]:
            self.context.shared["best"] = {"value": value, "kimg": kimg}


def _attempt(run: Callable[[Sequence[str]], list[Result]], names: Sequence[str]) -> tuple[list[Result], dict[str, str]]:
    """Return (results, errors by metric); any failure counts, because no measurement is worth a training run."""
    try:
        return run(names), {}
    except Exception as error:
        text = (str(error).splitlines() or [""])[0]
        return [], {name: f"{type(error).__name__}: {text}" for name in names}
