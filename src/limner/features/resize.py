"""How pictures get to the size a network works at. Every filter has a name, which goes into the stamp of a result."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TF1_BILINEAR = "bilinear of TensorFlow 1 (no half-pixel centres, no antialiasing)"
BICUBIC = "antialiased bicubic (a = -0.5)"


def tf1_bilinear(images: Tensor, size: int) -> Tensor:
    """Resize as `tf.image.resize_bilinear(align_corners=False)` of TensorFlow 1 does.

    Output pixel i takes the input at i * in / out, between the two pixels around it; the last pixel is repeated. The
    FID of 2017 and everything since is defined with this filter.

    Args:
        images: [N, C, H, W] uint8 or float.
        size: side of the result, pixels.

    Returns:
        [N, C, size, size] float32 in the range of the input.
    """
    if images.shape[2:] == (size, size):
        return images.float()
    top, bottom, weight = _neighbours(images.shape[2], size, images.device)
    rows = torch.lerp(images[:, :, top].float(), images[:, :, bottom].float(), weight[:, None])  # [N, C, size, W]
    left, right, weight = _neighbours(images.shape[3], size, images.device)
    mixing = torch.zeros(images.shape[3], size, device=images.device)
    columns = torch.arange(size, device=images.device)
    mixing[left, columns] = 1 - weight
    mixing[right, columns] += weight
    return rows @ mixing  # [N, C, size, size]


def bicubic(images: Tensor, size: int) -> Tensor:
    """Resize with an antialiased cubic filter as Pillow does, and clip what overshoots.

    Args:
        images: [N, C, H, W] uint8, or float in [0, 255].
        size: side of the result, pixels.

    Returns:
        [N, C, size, size] float32 in [0, 255].
    """
    resized = F.interpolate(images.float(), (size, size), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp_(0, 255)


def _neighbours(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each of `size` samples the pixel before, the pixel after, and the weight of the latter."""
    places = torch.arange(size, device=device) * torch.tensor(length / size, dtype=torch.float32, device=device)
    before = places.long()
    return before, (before + 1).clamp(max=length - 1), places - before
