"""`limner evaluate` (`calc-metrics`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Device, Quiet
from limner.errors import ConfigError

if TYPE_CHECKING:
    from limner.api.evaluation import Result


def evaluate(
    target: Annotated[str, Parameter(name="--network")],
    *,
    data: str | None = None,
    metrics: str = "fd_lite0_5k,kd_lite0_5k,pr_lite0_5k",
    num: int | None = None,
    json: str | None = None,
    cache: str | None = None,
    mirror: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    control: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    stats_out: str | None = None,
    nearest: str | None = None,
    classifier: str | None = None,
    weights: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    batch: int = 32,
    seed: int = 0,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure a generator, or a set of pictures, against real pictures.

    A name fixes the protocol and says how many pictures it takes: fid50k_full, fid5k_full, fd_lite0_5k. docs/metrics.md
    tells what each measures. Metrics with lite0 or stlpips in their names need no download. Under torchrun the
    processes share the work.

    For example:

        limner evaluate runs/faces
        limner evaluate runs/faces --data faces.zip --metrics fid50k_full,kid50k_full,pr50k3 --json faces.json
        limner evaluate generated --data faces.zip --metrics fd_lite0,swd --num 2000
        limner evaluate runs/faces --metrics ls --num 5000 --classifier runs/classifier

    Args:
        target: run folder (its newest snapshot), snapshot folder, .safetensors file in one, or pictures in any form
        data: the real pictures, or an .npz with mu and sigma; left out: those the run was trained on
        metrics: names with commas between
        num: use this many pictures instead of what the names say
        json: write the results, with everything that decided them, to this file
        cache: folder for statistics of real pictures; left out: the user's cache folder
        mirror: take the real pictures mirrored, too
        control: measure the real pictures against each other instead: what a perfect generator would score
        stats_out: write mean and covariance of the real pictures to this .npz, for other tools and for --data
        nearest: sheet to write, .png: pictures that are most like copies, each beside its nearest real ones
        classifier: run that trained a classifier of attributes, for ls (linear separability)
        weights: weight file of a feature network, such as inception=FILE; may be repeated
        batch: pictures at a time
        seed: seed of latents and of the order of pictures
    """
    from limner import api
    from limner.api import evaluation

    is_first = api.is_first_process()
    quiet = quiet or not is_first
    notice(api.setup(), quiet)
    with progress_bar("pictures", quiet) as progress:
        results = evaluation.evaluate(
            target,
            data,
            [name.strip() for name in metrics.split(",") if name.strip()],
            num=num,
            cache=cache,
            device=device,
            seed=seed,
            batch=batch,
            mirror=mirror,
            control=control,
            stats_out=stats_out,
            weights=parse_weights(weights),
            classifier=classifier,
            progress=progress,
        )
    if not is_first:
        return
    for warning in dict.fromkeys(warning for result in results for warning in result.warnings):
        notice(f"limner: note: {warning}", quiet)
    if json is not None:
        evaluation.write_results(results, json, command_line())
    if nearest is not None:
        most = {} if num is None else {"num": num}
        evaluation.nearest(target, nearest, data, cache=cache, device=device, seed=seed, batch=batch, **most)
    if not quiet:
        print("\n".join(table(results)))


def parse_weights(words: Sequence[str]) -> dict[str, str]:
    """Read `inception=FILE` words as name -> file.

    Raises:
        ConfigError: a word is none.
    """
    pairs = [word.partition("=") for word in words]
    for word, (name, _, file) in zip(words, pairs, strict=True):
        if not name or not file:
            raise ConfigError(f"weights: got '{word}', expected the name of a network and a file, as inception=FILE")
    return {name: file for name, _, file in pairs}


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a table of results."""
    if not results:
        return ["nothing to measure: the real pictures do not make two sets of the size these metrics take; try --num"]
    rows = [("metric", "value", "better", "pictures", "real")]
    for result in results:
        numbers = (f"{result.num_generated:,}", f"{result.num_real:,}" if result.num_real else "-")
        for name, value in result.values.items():
            is_headline = name == result.name
            better = ("lower" if result.lower_is_better else "higher") if is_headline else ""
            rows.append((name, f"{value:.5g}", better, *(numbers if is_headline else ("", ""))))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    aligned = "<><>>"
    return [
        "  ".join(f"{cell:{way}{width}}" for cell, way, width in zip(row, aligned, widths, strict=True)).rstrip()
        for row in rows
    ]
