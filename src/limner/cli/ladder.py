"""`limner ladder`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from limner.cli.console import command_line, notice
from limner.cli.options import Device, Quiet, parse_resolution, parse_settings
from limner.errors import ConfigError


def ladder(
    name: str,
    *,
    data: str,
    out: str,
    kimg: float,
    resolution: str | None = None,
    batch: int | None = None,
    repeat: int = 1,
    seed: int = 0,
    rungs: str = "",
    metrics: str = "swd2k",
    evaluations: int = 4,
    set: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    scale: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train every rung of a paper's ablation table with one budget and compare them with the published scores.

    Ladders: progan (ProGAN, Table 1), stylegan (StyleGAN, Table 1), stylegan-mixing (Table 2), stylegan2 (StyleGAN2,
    Table 1), stylegan2-architectures (Table 2). The same command again goes on where it was stopped, and a larger
    --repeat adds seeds. The folder gets ladder.html, ladder.csv and one run folder a rung and seed.

    For example:

        limner ladder stylegan2 --data samples --resolution 32 --batch 16 --kimg 20 --out ladders/stylegan2
        limner ladder progan --data faces.zip --resolution 32 --batch 16 --kimg 20 --repeat 2 --out ladders/progan
        limner ladder stylegan --data samples --resolution 32 --kimg 20 --scale optimizer.g_lr=2 --out ladders/fast

    Args:
        name: the ladder
        data: folder or zip of pictures, or samples
        out: folder of the ladder
        kimg: length of every run, thousands of pictures shown; growing is shortened in proportion
        resolution: side, or height x width such as 64x48, pixels; left out: that of the pictures
        batch: total batch of the last rung, that of the others in the published proportion; left out: as published
        repeat: runs of each rung, with consecutive seeds
        seed: the first seed
        rungs: presets to run, comma separated; left out: all
        metrics: metrics, comma separated; the first is compared with the published scores
        evaluations: times each run is measured
        set: any setting of all runs by its path, such as ema.kimg=5; may be repeated
        scale: a factor on a number of every rung, such as optimizer.g_lr=2; may be repeated
    """
    from limner import api

    found = api.find_ladder(name)
    request = api.LadderRequest(
        name=name,
        data=data,
        out=Path(out),
        kimg=kimg,
        resolution=parse_resolution(resolution),
        batch=batch,
        repeat=repeat,
        seed=seed,
        rungs=_names(rungs),
        metrics=_names(metrics),
        evaluations=evaluations,
        settings=parse_settings("--set", set),
        scales=_factors(scale),
    )
    if not request.metrics:
        raise ConfigError("metrics: got none, expected at least one such as swd2k")
    runs = api.plan_rungs(request)
    notice(api.setup(), quiet)
    results = api.climb(runs, device=device, report=lambda line: notice(line, quiet))
    config = runs[0].plan.config
    height, width = config.data.resolution
    budget = f"{kimg:g} kimg a run at {height}x{width} pixels, {repeat} seed{'s' if repeat > 1 else ''}."
    page, table = api.write_ladder(
        found, results, request.out, metric=request.metrics[0], command=command_line(), budget=budget
    )
    print(f"{len(results)} runs compared in {page}; numbers in {table}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _factors(texts: tuple[str, ...]) -> dict[str, float]:
    """Read `path=factor` texts.

    Raises:
        ConfigError: one is not of that form.
    """
    factors = {}
    for path, text in parse_settings("--scale", texts).items():
        try:
            factors[path] = float(text)
        except ValueError:
            raise ConfigError(f"--scale {path}: got '{text}', expected a number such as 2") from None
    return factors
