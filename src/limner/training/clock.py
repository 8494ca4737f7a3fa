"""How the time of a run is written: durations, and kimg in file names."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units: `45s`, `12m 05s`, `1h 02m`, `2d 03h`."""
    seconds = round(max(seconds, 0))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d {hours % 24:02d}h"
    if hours:
        return f"{hours}h {minutes % 60:02d}m"
    if minutes:
        return f"{minutes}m {seconds % 60:02d}s"
    return f"{seconds}s"


def kimg_name(nimg: int) -> str:
    """Return the whole kimg in `nimg` images as six digits: the name of a snapshot."""
    return f"{nimg // 1000:06d}"


def sample_name(nimg: int) -> str:
    """Return the name of a sample grid: as `kimg_name`, with three decimals before the first kimg is complete.

    The decimals keep the grid of untrained networks, `000000`, from being overwritten in short runs.
    """
    return f"{nimg / 1000:010.3f}" if 0 < nimg < 1000 else kimg_name(nimg)
