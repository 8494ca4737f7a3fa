"""Convolutions that resample: upsampling by a transposed, downsampling by a strided convolution, with FIR filtering.

Source: StyleGAN2 paper, Appendix B; paddings of the official networks. Filtering commutes with the
convolution, so the filter runs where there are fewer pixels or channels to touch.
"""

from __future__ import annotations

from torch import Tensor

from limner.ops.conv import conv2d, conv_transpose2d
from limner.ops.upfirdn2d import downsample2d, upfirdn2d, upsample2d


def upsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Upsample by 2 with `kernel`, then convolve with `weight` (as a true convolution, the kernel flipped).

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        kernel: FIR kernel [K, K] summing to 1.

    Returns:
        A fresh tensor [N, O, 2 H, 2 W].
    """
    k = weight.shape[-1]
    if k == 1:
        return upsample2d(conv2d(x, weight), kernel)
    y = conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2 H + k - 2, 2 W + k - 2]
    p = (kernel.shape[0] - 2) - (k - 1)
    before, after = (p + 1) // 2 + 1, p // 2 + 1
    return upfirdn2d(y, kernel, padding=(before, after, before, after), gain=4.0)


def downsample_conv2d(x: Tensor, weight: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with `weight`, then downsample by 2 with `kernel`; the filter runs first.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k] with odd k.
        kernel: FIR kernel [K, K] summing to 1.
        bias: [O] or None.

    Returns:
        A fresh tensor [N, O, H / 2, W / 2].
    """
    k = weight.shape[-1]
    if k == 1:
        return conv2d(downsample2d(x, kernel), weight, bias)
    p = (kernel.shape[0] - 2) + (k - 1)
    before, after = (p + 1) // 2, p // 2
    return conv2d(upfirdn2d(x, kernel, padding=(before, after, before, after)), weight, bias, stride=2)
