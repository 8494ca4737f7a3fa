"""Principal components of W.

Source: GANSpace (Harkonen et al. 2020), Section 2.1: sampled w, principal component analysis, edits along components in
standard deviations, which are the square roots of the variances.

Deviations:
- The covariance is decomposed exactly, not incrementally.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.editing import base
from limner.editing.base import Direction
from limner.editing.engine.samples import sampled_codes
from limner.editing.sefa import signed
from limner.papers.base import Generator


class Edit(base.Edit):
    """Eigenvectors of the covariance of w."""

    name = "pca"

    def __init__(self, *, count: int = 5, num_samples: int = 10_000) -> None:
        """Take hyper-parameters.

        Args:
            count: directions wanted.
            num_samples: codes the covariance is measured on.
        """
        self.count, self.num_samples = count, num_samples

    def fit(self, generator: Generator, *, c: Tensor | None = None) -> Edit:
        """Find the components of a generator's w, for one label [1, c_dim] where it takes labels."""
        return self.fit_codes(sampled_codes(generator, self.num_samples, c)[1].mean(1))

    def fit_codes(self, codes: Tensor) -> Edit:
        """Find the components of codes [N, w_dim]."""
        variances, vectors = components(codes)
        total = variances.sum().item()
        self.directions_ = [
            Direction(
                name=f"pca-{index}",
                space="w",
                vector=vectors[index],
                deviation=variances[index].sqrt().item(),
                source="pca",
                numbers={"explained": variances[index].item() / total if total else 0.0},
            )
            for index in range(min(self.count, len(vectors)))
        ]
        return self


def components(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return variances [D], falling, and the unit vectors they belong to, as rows [D, D], of codes [N, D]."""
    values, vectors = torch.linalg.eigh(torch.cov(codes.double().T))  # rising, columns
    return values.flip(0).clamp_min(0).float(), signed(vectors.T.flip(0)).float()
