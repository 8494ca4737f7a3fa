"""A direction without what it shares with others: conditional manipulation.

Source: InterFaceGAN (Shen et al. 2020), Section 3.3: the primal direction minus its projection on the conditions, which
then do not change. Done by least squares for any number of conditions, also nearly parallel ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from limner.editing.base import Direction, along, unit
from limner.errors import ConfigError

LEAST = 1e-4
"""Length of what is left, relative to the direction, below which nothing is left."""


def conditioned(direction: Direction, given: Sequence[Direction], codes: Tensor) -> Direction:
    """Return the part of a direction that leaves other attributes as they are.

    Args:
        direction: what is to change.
        given: what is not to; in the same space (w goes with w+).
        codes: [N, ...] of that space, which the new standard deviation is measured on.

    Raises:
        ConfigError: spaces differ, or nothing is left of the direction.
    """
    if not given:
        return direction
    spaces = {d.space.rstrip("+") for d in (direction, *given)}
    if len(spaces) > 1:
        raise ConfigError(
            f"given: got directions in {' and '.join(sorted(spaces))}, expected one space for '{direction.name}' and "
            "all its conditions; find them in the same space"
        )
    is_layered = any(d.space == "w+" for d in (direction, *given))
    num_layers = max((d.vector.shape[0] for d in (direction, *given) if d.space == "w+"), default=1)
    rows = [_rows(d, num_layers) for d in (direction, *given)]  # [L, D] each
    wanted, conditions = rows[0], torch.stack(rows[1:], 1)  # [L, D], [L, K, D]
    left = torch.stack([_residual(w, c) for w, c in zip(wanted, conditions, strict=True)])  # [L, D]
    if left.norm() < LEAST * wanted.norm():
        names = ", ".join(d.name for d in given)
        raise ConfigError(f"given: nothing is left of '{direction.name}' without {names}; leave one of them out")
    vector = unit(left if is_layered else left[0]).float()
    name = f"{direction.name} given {', '.join(d.name for d in given)}"
    return replace(
        direction,
        name=name,
        space="w+" if is_layered else direction.space,
        vector=vector,
        deviation=along(codes, vector).std().item(),
    )


def _rows(direction: Direction, num_layers: int) -> Tensor:
    vector = direction.vector.double()
    return vector if direction.space == "w+" else vector.expand(num_layers, -1)  # [L, D]


def _residual(wanted: Tensor, conditions: Tensor) -> Tensor:
    """Return `wanted` [D] minus its projection on the span of `conditions` [K, D]."""
    solution = torch.linalg.lstsq(conditions.T, wanted[:, None], driver="gelsd").solution  # [K, 1]
    left = wanted - (conditions.T @ solution)[:, 0]
    return torch.where(left.norm() < 1e-12 * wanted.norm(), torch.zeros_like(left), left)
