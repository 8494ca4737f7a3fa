"""`limner generate` (`gen-images`)."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from limner.cli.console import command_line, notice, progress_bar
from limner.cli.options import Checkpoint, ClassLabel, Cutoff, Device, Noise, Quiet, Truncation
from limner.errors import ConfigError

DEFAULT_SEEDS = "0-35"


def generate(
    checkpoint: Checkpoint,
    *,
    seeds: str | None = None,
    codes: str | None = None,
    out: Annotated[str, Parameter(name=["--out", "--outdir"])] = "generated",
    trunc: Truncation = 1.0,
    cutoff: Cutoff = None,
    noise: Noise = "const",
    label: ClassLabel = None,
    grid: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make pictures from seeds: one file a seed, each depending on its own seed alone; or from codes.

    A seed gives the latent it gives in NVIDIA's tools. Truncation and noise are for seeds: codes are drawn as they are.

    For example:

        limner generate runs/faces --seeds 0-35 --trunc 0.7 --out faces --grid
        limner generate runs/faces/snapshots/000200 --seeds 85,265 --noise random
        limner generate runs/faces --codes inverted --grid --out again

    Args:
        seeds: numbers and ranges, such as 0-3,7; 0-35 when left out
        codes: instead of seeds: folder of limner invert, or file of latents
        out: folder for seed0000.png, ... and command.txt
        grid: also write all pictures on one sheet, grid.png
    """
    from limner import api

    notice(api.setup(), quiet)
    if codes is not None and (seeds is not None or (trunc, cutoff, noise) != (1.0, None, "const")):
        raise ConfigError(
            "codes: got --seeds, --trunc, --cutoff or --noise with them, which are for seeds; leave them out"
        )
    shared: dict[str, Any] = {
        "label": api.parse_label(label),
        "grid": grid,
        "device": device,
        "command": command_line(),
    }
    with progress_bar("pictures", quiet) as progress:
        if codes is not None:
            paths = api.draw_codes(checkpoint, out, codes=codes, progress=progress, **shared)
        else:
            paths = api.generate(
                checkpoint,
                out,
                seeds=seeds or DEFAULT_SEEDS,
                truncation_psi=trunc,
                truncation_cutoff=cutoff,
                noise_mode=noise,
                progress=progress,
                **shared,
            )
    if not quiet:
        print(f"{len(paths) - grid} pictures in {paths[0].parent}" + (f", sheet {paths[-1]}" if grid else ""))
