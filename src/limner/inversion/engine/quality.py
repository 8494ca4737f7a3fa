"""Numbers of a reconstruction: MSE, PSNR, SSIM, and a perceptual distance, one a picture.

Source: PSNR of a range of 2 (pictures in [-1, 1]), so 10 log10(4 / MSE). SSIM: Wang et al. 2004, Equation 13, Gaussian
window of 11 pixels and deviation 1.5, K1 = 0.01, K2 = 0.03, on values in [0, 1], averaged over channels.

Deviations:
- Pictures are clamped to [-1, 1] first, as they are when they are saved.
- SSIM's window stays inside the picture; in one smaller than 11 pixels it is as large as fits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.features.base import PerceptualNetwork
from limner.inversion.engine.terms import Comparison, masked

WINDOW, WINDOW_DEVIATION = 11, 1.5
LEAST_ERROR = 1e-12
"""Smaller errors count as this one, so that the ratio is a number also of pictures that are the same."""
C1, C2 = 0.01**2, 0.03**2
"""(K1 L)^2 and (K2 L)^2 for a range L of 1."""


@torch.no_grad()
def quality(
    images: Tensor, wanted: Tensor, masks: Tensor | None = None, network: PerceptualNetwork | None = None
) -> dict[str, Tensor]:
    """Return `mse`, `psnr` (dB), `ssim` and, with a network, its name's distance, unscaled: each [N] on the CPU.

    Args:
        images: [N, C, H, W] in [-1, 1].
        wanted: the same.
        masks: [N, 1, H, W] in [0, 1]: what counts; to SSIM the rest is mid-grey, and a window weighs what of it counts.
        network: None: no perceptual distance.
    """
    images, wanted = images.clamp(-1, 1), wanted.clamp(-1, 1)
    terms = Comparison(wanted, masks, network)(images)
    numbers = {
        "mse": terms["pixel"],
        "psnr": psnr(terms["pixel"]),
        "ssim": ssim(masked(images, masks), masked(wanted, masks), masks),
    }
    if network is not None:
        numbers[network.name] = terms["perceptual"]
    return {name: number.cpu() for name, number in numbers.items()}


def psnr(mse: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB, at most 126, of a mean squared error over pictures in [-1, 1]."""
    return 10 * torch.log10(4 / mse.clamp_min(LEAST_ERROR))


def ssim(images: Tensor, wanted: Tensor, masks: Tensor | None = None) -> Tensor:
    """Return the structural similarity [N] of pictures [N, C, H, W] in [-1, 1]."""
    side = min(WINDOW, *images.shape[2:])
    places = torch.arange(side, dtype=images.dtype, device=images.device) - (side - 1) / 2
    gauss = torch.exp(-places.square() / (2 * WINDOW_DEVIATION**2))
    window = (gauss[:, None] * gauss / gauss.sum() ** 2).expand(images.shape[1], 1, side, side)

    def local(x: Tensor) -> Tensor:
        return F.conv2d(x, window.to(x), groups=x.shape[1])  # [N, C, H - side + 1, W - side + 1]

    x, y = (images + 1) / 2, (wanted + 1) / 2
    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    covariance = local(x * y) - mean_x * mean_y
    similar = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    maps = (similar / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2))).mean(1, keepdim=True)  # [N, 1, h, w]
    if masks is None:
        return maps.mean((1, 2, 3))
    weight = F.conv2d(masks, window[:1].to(masks))  # [N, 1, h, w]
    return (maps * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))
