"""Writes report.html at the start, at every snapshot and at the end: the whole run on one page that opens anywhere.

The page is one file: styles, script, curves and pictures are inside, and it asks for nothing from the network. Pictures
are reduced so that it stays below about 3 MB.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from limner import config as configuration
from limner import registry
from limner.config import RunConfig
from limner.papers.base import FinishedGenerator, PresetRequest
from limner.runtime import atomic_file, version_stamp
from limner.training import history, records
from limner.training.callbacks.base import Callback, CallbackContext
from limner.training.callbacks.report import page, pictures
from limner.training.clock import duration_text
from limner.training.state import TrainingState


def make(context: CallbackContext) -> Callback:
    """Return the callback."""
    return Report(context)


class Report(Callback):
    """See the module."""

    def on_start(self, state: TrainingState) -> None:
        """Write the first page."""
        self._write(state, "training")

    def on_tick(self, state: TrainingState, stats: Mapping[str, float]) -> None:
        """Bring the page up to date when this tick ends with a snapshot."""
        if stats.get("snapshot"):
            self._write(state, "training")

    def on_end(self, state: TrainingState) -> None:
        """Write the last page."""
        is_complete = state.nimg >= round(self.context.config.total_kimg * 1000)
        self._write(state, "complete" if is_complete else "stopped")

    def _write(self, state: TrainingState, status: str) -> None:
        html = page.render(self._gather(state, status))
        with atomic_file(self.context.run_dir / "report.html") as file:
            file.write(html.encode())

    def _gather(self, state: TrainingState, status: str) -> page.Page:
        context, run_dir = self.context, self.context.run_dir
        config = context.config
        settings = list(configuration.flatten(configuration.to_dict(config)))
        return page.Page(
            title=run_dir.resolve().name,
            subtitle=_subtitle(config),
            status=status,
            progress=min(state.nimg / (config.total_kimg * 1000), 1.0),
            updated=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
            command=_text(run_dir / "command.txt"),
            facts=_facts(state, context),
            album=pictures.gather(run_dir, state.nimg / 1000),
            panels=history.panels(run_dir),
            evaluations=records.read(run_dir / history.METRICS_NAME),
            best_kimg=context.shared["best"]["kimg"] if "best" in context.shared else None,
            differences=preset_difference(config),
            settings=[(path, page.value_text(value)) for path, value in settings],
            environment=list(version_stamp().items()),
        )


def preset_difference(config: RunConfig) -> list[tuple[str, str, str]] | None:
    """Return (setting, the preset's value, the run's value) where they differ; None when the preset is unknown.

    The preset is resolved at the run's picture size, so what follows from the size is no difference.
    """
    presets = registry.get("papers", config.room).PRESETS
    if config.preset not in presets:
        return None
    data = config.data
    request = PresetRequest(
        resolution=data.resolution,
        channels=data.channels,
        c_dim=data.c_dim,
        generator=FinishedGenerator.of(config),
        attributes={} if config.classifier is None else config.classifier.attributes,
    )
    changes = configuration.difference(presets[config.preset].build(request), config)
    return [(path, page.value_text(old), page.value_text(new)) for path, old, new in changes]


def _subtitle(config: RunConfig) -> str:
    height, width = config.data.resolution
    return f"{config.preset} on {Path(config.data.path).name or 'pictures'}, {width} x {height} px"


def _facts(state: TrainingState, context: CallbackContext) -> list[tuple[str, str]]:
    config = context.config
    ticks = records.read(context.run_dir / history.LOG_NAME)
    facts = [
        ("trained", f"{state.nimg / 1000:g} of {config.total_kimg:g} kimg"),
        ("time", duration_text(state.elapsed_sec)),
    ]
    if ticks and ticks[-1].get("images_per_sec"):
        facts.append(("images per second", f"{ticks[-1]['images_per_sec']:.3g}"))
    facts += [
        ("pictures", f"{len(context.dataset):,}"),
        ("batch", f"{config.batch}"),
        *((f"parameters of {name}", _count_text(network)) for name, network in _shown_networks(state)),
        ("device", str(context.device)),
    ]
    best = context.shared.get("best")
    if best and config.callbacks.metrics:
        facts.append((f"best {config.callbacks.metrics[0]}", f"{best['value']:.4g} at {best['kimg']:g} kimg"))
    return facts


def _shown_networks(state: TrainingState) -> list[tuple[str, nn.Module]]:
    networks = (("C", state.C), ("E", state.E), ("G", state.G), ("D", state.D))
    return [(name, network) for name, network in networks if network is not None]


def _count_text(module: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in module.parameters())
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count:,}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
