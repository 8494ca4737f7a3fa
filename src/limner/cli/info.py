"""`limner info`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

LISTED = 20
"""Most labels, sizes or broken files listed."""


def info(path: str, *, sheet: Annotated[str | None, Parameter(name=["--sheet", "--out"])] = None) -> None:
    """Say what a data set, a run or a snapshot holds; of data, a contact sheet is written too.

    For example:

        limner info ~/pictures
        limner info faces.zip --sheet faces.png
        limner info runs/faces

    Args:
        path: pictures in any form 'limner prepare' reads, samples, a run, a snapshot, or a .safetensors file in one
        sheet: contact sheet to write, .png; left out: NAME-sheet.png in this folder
    """
    from limner import api

    about = api.info(path, sheet=sheet or f"{Path(path).name.partition('.')[0] or 'data'}-sheet.png")
    rows = data_rows(about) if about["kind"] == "data" else checkpoint_rows(about)
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        print(f"{name:<{width}}{text}")


def data_rows(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, text) for every line about a data set."""
    rows = [
        ("data", f"{about['path']} ({about['form']}, {_megabytes(about['size_bytes'])})"),
        ("pictures", f"{about['count']:,}"),
        ("sizes", _listed([f"{height}x{width} ({count:,})" for height, width, count in about["sizes"]])),
        ("channels", _listed([f"{channels} ({count:,})" for channels, count in about["channels"].items()])),
        ("bits", _listed([f"{bits} ({count:,})" for bits, count in about["bits"].items()])),
    ]
    labels = about["labels"]
    if labels is None:
        rows.append(("labels", "none"))
    else:
        counts = [f"{name} ({count:,})" for name, count in labels["counts"].items()]
        rows.append(("labels", f"{labels['dim']} {labels['kind']}: {_listed(counts)}"))
    if about["broken"]:
        broken = [f"{name} ({reason})" for name, reason in about["broken"].items()]
        rows.append(("unreadable", f"{len(broken)}: {_listed(broken, 5)}"))
    if about["others"]:
        rows.append(("other files", f"{len(about['others'])}: {_listed(about['others'], 5)}"))
    if about["advice"]:
        rows.append(("advice", about["advice"]))
    if "sheet" in about:
        rows.append(("contact sheet", about["sheet"]))
    return rows


def checkpoint_rows(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, text) for every line about a run or a snapshot."""
    height, width = about["resolution"]
    label = f", labels of {about['c_dim']} values" if about["c_dim"] else ", unconditional"
    rows = [
        (about["kind"], about["path"]),
        ("room", f"{about['room']}: {about['paper']}"),
        ("preset", about["preset"]),
        ("pictures", f"{height}x{width} (height x width), {about['channels']} channels{label}"),
        ("trained on", about["data"]),
    ]
    if about["kind"] == "run":
        rows.append(("length", f"{about['total_kimg']:g} kimg"))
        rows.append(("snapshots", _listed(about["snapshots"]) if about["snapshots"] else "none yet"))
    if "snapshot" not in about:
        return rows
    rows += [
        ("snapshot", f"{about['snapshot']} ({_megabytes(about['size_bytes'])})"),
        ("trained for", "unknown" if about["kimg"] is None else f"{about['kimg']:g} kimg"),
        ("parameters", _listed([f"{name} {count:,}" for name, count in about["networks"].items()])),
    ]
    metrics = dict(about["metrics"])
    if "attributes" in about:
        accuracies = [(name, metrics.pop(f"accuracy/{name}", None)) for name in about["attributes"]]
        known = [name if value is None else f"{name} {value:.1%}" for name, value in accuracies]
        measured = ", with accuracy on pictures held out" if len(metrics) < len(about["metrics"]) else ""
        rows.append(("attributes", f"{len(known)}{measured}: {_listed(known, len(known))}"))
    else:
        rows.append(("latents", f"z_dim {about['z_dim']}, w_dim {about['w_dim']}, num_ws {about['num_ws']}"))
    if metrics:
        rows.append(("metrics", _listed([f"{name} {value:.4g}" for name, value in metrics.items()])))
    rows.append(("fingerprint", about["fingerprint"] or "none"))
    rows.append(("written by", f"limner {about['limner']}"))
    return rows


def _listed(items: list[str], most: int = LISTED) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
