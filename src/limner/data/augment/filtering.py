"""Image-space filtering (group f): four frequency bands, each amplified or damped at random.

Source: ADA paper (Karras et al. 2020, arXiv 2006.06676), Appendix B. The filter is applied along rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.data.augment.draws import Draws
from limner.data.augment.sampling import band_operators

GAIN_STD = 1.0
"""Standard deviation of log2 of a band's gain."""
EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Share of each band, low to high, in the power of natural pictures (their spectrum falls as 1/f)."""


def draw_gains(p: Tensor, draws: Draws) -> Tensor:
    """Draw the gain of each band; bands are amplified one after the other.

    Each amplification also scales all bands by 1 / sqrt(sum of EXPECTED_POWER times its squared factors), so that a
    picture of the expected spectrum keeps its power; only one factor differs from 1, and the divisors multiply.

    Args:
        p: [] probability of amplifying a band, for each band.
        draws: gives 4 uniform and 4 normal numbers a picture.

    Returns:
        [N, 4] positive gains, lowest frequencies first.
    """
    uniform, normal = draws.rand(4), draws.randn(4)  # [N, 4] each
    factors = torch.exp2(GAIN_STD * normal * (uniform < p).to(normal))
    powers = [1 + share * (factors[:, band].square() - 1) for band, share in enumerate(EXPECTED_POWER)]
    return factors / torch.stack(powers, dim=1).prod(dim=1, keepdim=True).sqrt()


def amplify_bands(images: Tensor, gains: Tensor) -> Tensor:
    """Filter pictures [N, C, H, W] with gains [N, 4] of the four bands, along rows and along columns."""
    channels, height, width = images.shape[1:]
    gains = gains.to(images)
    vertical = torch.einsum("nb,bij->nij", gains, band_operators(height, images.dtype, images.device))  # [N, H, H]
    horizontal = torch.einsum("nb,bij->nij", gains, band_operators(width, images.dtype, images.device))  # [N, W, W]
    rows = images.flatten(1, 2) @ horizontal.mT  # [N, C*H, W]
    columns = rows.unflatten(1, (channels, height)).mT.flatten(1, 2) @ vertical.mT  # [N, C*W, H]
    return columns.unflatten(1, (channels, width)).mT.contiguous()  # [N, C, H, W]
