"""Does growing pay? Distance against seconds for a growing run and its twin at full resolution.

    python benchmarks/growing.py --data avatars64.zip --out growing            # StyleGAN, 32 pixels, 12 kimg each
    python benchmarks/growing.py --data samples --preset progan-tiny --kimg 20 --out growing

Both runs have the preset's settings, one batch and one seed; the twin has `schedule.grow=false`. The distance is the
sliced Wasserstein distance on 2,048 pictures at each snapshot, against the seconds trained so far without measuring and
writing. Writes growing.csv and growing.png into --out; the runs go on where they were stopped.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from limner import api
from limner.api.ladder.climbing import RungResult, climb
from limner.api.ladder.planning import PlannedRun
from limner.cli.options import parse_resolution
from limner.papers.base import Rung
from limner.training import records
from limner.training.history import LOG_NAME

METRIC = "swd2k"


def planned(options: argparse.Namespace, *, grow: bool) -> PlannedRun:
    """Resolve one of the two runs."""
    name = "growing" if grow else "full resolution"
    folder = options.out / name.replace(" ", "-")
    settings = {
        "schedule.grow": grow,
        "total_kimg": options.kimg,
        "callbacks.tick_kimg": options.kimg / (2 * options.evaluations),
        "callbacks.snap": 2,
        "callbacks.keep": 1,
        "callbacks.metrics": [METRIC],
    }
    plan = api.configure(
        api.RunRequest(
            data=options.data,
            preset=options.preset,
            resolution=parse_resolution(options.resolution),
            batch=options.batch,
            settings=settings,
            run_dir=folder,
        )
    )
    return PlannedRun(rung=Rung(row=name, preset=options.preset), seed=0, folder=folder, plan=plan)


def seconds_at(folder: Path, kimg: float) -> float:
    """Seconds trained until `kimg`."""
    start = total = 0.0
    for record in records.read(folder / LOG_NAME):
        if record["kimg"] > kimg + 1e-9:
            break
        total += record["sec_per_kimg"] * (record["kimg"] - start)
        start = record["kimg"]
    return total


def points(result: RungResult) -> list[tuple[float, float, float]]:
    """(kimg, seconds, distance) of every evaluation."""
    return [(kimg, seconds_at(result.folder, kimg), score) for kimg, score in result.curve]


def draw(results: list[RungResult], path: Path) -> None:
    """Draw distance against seconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for result in results:
        _, seconds, distance = zip(*points(result), strict=True)
        axes.plot(seconds, distance, marker="o", label=result.rung.row)
    if results[0].control is not None:
        axes.axhline(results[0].control, linestyle=":", color="grey", label="real pictures")
    axes.set(xlabel="seconds of training", ylabel=f"{METRIC} (lower is better)", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Train both runs and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="stylegan-tiny")
    parser.add_argument("--resolution", default="32")
    parser.add_argument("--kimg", type=float, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--evaluations", type=int, default=6)
    options = parser.parse_args()
    print(api.setup())
    results = climb([planned(options, grow=True), planned(options, grow=False)], report=print)
    with (options.out / "growing.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run", "kimg", "seconds", METRIC])
        writer.writerows([result.rung.row, *map(str, point)] for result in results for point in points(result))
    draw(results, options.out / "growing.png")
    print(f"{options.out / 'growing.png'}, {options.out / 'growing.csv'}")


if __name__ == "__main__":
    main()
