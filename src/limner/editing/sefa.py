"""Closed-form factorisation: the directions of w that the style layers answer to most.

Source: SeFa (Shen & Zhou 2021), Equations 4 to 6: eigenvectors of A^T A, where A stacks the weights of the chosen style
layers, every channel's row scaled to unit length. Needs no samples but for the scale of a strength.

Deviations:
- The symmetric eigenproblem is solved as one, and its values are sorted (the published code does neither).
- The sign of a direction is chosen so that its largest entry is positive.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from limner.editing import base
from limner.editing.base import Direction, along
from limner.editing.engine.samples import sampled_codes
from limner.editing.engine.styles import style_layers
from limner.errors import ConfigError
from limner.papers.base import Generator

NUM_SAMPLES = 2000
"""Codes the standard deviations are measured on."""


class Edit(base.Edit):
    """Eigenvectors of the style weights."""

    name = "sefa"

    def __init__(self, *, count: int = 5, layers: Sequence[int] | None = None) -> None:
        """Take hyper-parameters.

        Args:
            count: directions wanted.
            layers: layers of w whose style weights count; None: all.
        """
        self.count, self.layers = count, None if layers is None else tuple(layers)

    def fit(self, generator: Generator, *, c: Tensor | None = None) -> Edit:
        """Find the directions of a generator.

        Args:
            generator: whose styles are moved.
            c: label [1, c_dim] of the codes a strength is measured on, for a conditional generator.

        Raises:
            ConfigError: no style layer reads the layers asked for.
        """
        weights = [
            layer.module.weight.detach()
            for layer in style_layers(generator)
            if self.layers is None or layer.layer in self.layers
        ]
        if not weights:
            raise ConfigError(f"sefa: no style layer reads layers {list(self.layers or ())}; choose others")
        values, vectors = factorise(torch.cat(weights))  # [w_dim], [w_dim, w_dim]
        codes = sampled_codes(generator, NUM_SAMPLES, c)[1].mean(1)  # [N, w_dim]
        self.directions_ = [
            Direction(
                name=f"sefa-{index}",
                space="w",
                vector=vectors[index],
                deviation=along(codes, vectors[index]).std().item(),
                layers=self.layers,
                source="sefa",
                numbers={"eigenvalue": values[index].item()},
            )
            for index in range(min(self.count, len(vectors)))
        ]
        return self


def factorise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues [D], falling, and unit eigenvectors, as rows [D, D], of the row-normalised weight [O, D]."""
    rows = weight.double()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # rising, columns
    return values.flip(0).float(), signed(vectors.T.flip(0)).float()


def signed(vectors: Tensor) -> Tensor:
    """Return rows [K, D] with signs such that the entry largest in size is positive."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()
