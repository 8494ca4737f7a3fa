"""Resolutions that a growing stack of 2x blocks can reach."""

from __future__ import annotations

from limner.errors import ConfigError

Resolution = tuple[int, int]
"""(height, width) in pixels."""


def base_grid(resolution: Resolution) -> tuple[int, int, int]:
    """Return how a growing stack of 2x blocks reaches `resolution`: (base height, base width, number of doublings).

    The number of doublings is the largest k for which 2^k divides both sides and the longer side of the base grid is
    at least 4 pixels; networks can be built when that longer side is at most 7 (4x4, 4x3, 6x4, 7x7, ...).

    Raises:
        ConfigError: no such grid; the message names the nearest resolutions that have one.
    """
    height, width = resolution
    doublings = 0
    while (
        height % 2 ** (doublings + 1) == 0
        and width % 2 ** (doublings + 1) == 0
        and max(height, width) >= 4 * 2 ** (doublings + 1)
    ):
        doublings += 1
    base_h, base_w = height // 2**doublings, width // 2**doublings
    if min(height, width) >= 1 and 4 <= max(base_h, base_w) <= 7:
        return base_h, base_w, doublings
    nearest = " or ".join(f"{h}x{w}" for h, w in _nearest_resolutions(resolution))
    raise ConfigError(
        f"no network can be built for {height}x{width} pixels (height x width), expected at most 7 pixels times a "
        f"power of two on the longer side; use {nearest}"
    )


def nominal_side(resolution: Resolution) -> int:
    """Return the side of a square picture with as many doublings of a 4 x 4 grid: the name of a level."""
    return 4 * 2 ** base_grid(resolution)[2]


def _nearest_resolutions(resolution: Resolution) -> list[Resolution]:
    """Return the nearest buildable resolutions: up to two, square ones if `resolution` is square."""
    height, width = resolution
    found = {
        (base_h * 2**doublings, base_w * 2**doublings)
        for doublings in range(13)
        for base_h in range(1, 8)
        for base_w in range(1, 8)
        if max(base_h, base_w) >= 4 and (height != width or base_h == base_w)
    }
    return sorted(found, key=lambda size: (abs(size[0] - height) + abs(size[1] - width), size))[:2]
