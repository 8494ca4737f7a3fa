"""What the generators of StyleGAN and StyleGAN2 share: mapping with truncation, the average w, noise maps, growing.

Source: StyleGAN paper, Section 2 (mapping network, noise inputs) and Appendix B (truncation in W).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from limner.config import Resolution
from limner.errors import ConfigError, ShapeError
from limner.ops.growing import upsample_nearest
from limner.papers.base.generator import NOISE_MODES, Generator, NoiseMode


class NoiseLayer(Protocol):
    """A layer that takes noise."""

    noise_const: Tensor
    """[h, w], the stored map; absent in a generator without noise."""


class StyleBasedGenerator(Generator):
    """A mapping network, then a synthesis network that takes one w a layer and noise maps.

    The subclass's constructor sets `mapping_network` (z [N, z_dim] and c to w [N, w_dim], or [N, num_ws, w_dim] where
    each layer has a w of its own, and `w_avg` likewise), `synthesis_network` (ws, one map or None for each layer that
    takes noise, and lod to images at the resolution in use), the attributes of `Generator`, `w_avg_beta` (decay of the
    average of w) and `use_noise`.
    """

    mapping_network: nn.Module
    synthesis_network: nn.Module
    w_avg_beta: float
    use_noise: bool

    @abstractmethod
    def noise_layers(self, lod: float) -> Sequence[NoiseLayer]:
        """Return the layers in use at `lod` that take noise, first to last."""

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """See `base.Generator.mapping`."""
        self.check_z(z, c)
        dtype = self.w_avg.dtype
        w = self.mapping_network(z.to(dtype), None if c is None else c.to(dtype))  # [N, w_dim] or [N, num_ws, w_dim]
        ws = w if w.ndim == 3 else w[:, None].expand(-1, self.num_ws, -1)  # [N, num_ws, w_dim]
        if truncation_psi != 1.0:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            average = self.w_avg.expand(self.num_ws, -1)[:cutoff]  # [cutoff, w_dim]
            truncated = average + truncation_psi * (ws[:, :cutoff] - average)
            ws = torch.cat([truncated, ws[:, cutoff:]], 1)
        return ws

    @torch.no_grad()
    def update_w_avg(self, w_mean: Tensor) -> None:
        """Move `w_avg` towards the mean of a batch of w, of its shape: [w_dim], or [num_ws, w_dim]."""
        self.w_avg.lerp_(w_mean.detach(), 1 - self.w_avg_beta)

    @property
    def noise_shapes(self) -> tuple[Resolution, ...]:
        """See `base.Generator.noise_shapes`; empty when the configuration uses no noise."""
        layers = self.noise_layers(0.0) if self.use_noise else []
        return tuple((layer.noise_const.shape[0], layer.noise_const.shape[1]) for layer in layers)

    def synthesis(
        self,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        noises: Sequence[Tensor] | None = None,
        lod: float | None = None,
    ) -> Tensor:
        """See `base.Generator.synthesis`; `noises` may end after the layers in use at `lod`."""
        self.check_ws(ws)
        lod = self.lod if lod is None else lod
        layers = self.noise_layers(lod)
        maps = self._maps(noise_mode, ws, layers) if noises is None else self._given(noises, len(layers))
        images = self.synthesis_network(ws, maps, lod)  # [N, C, H >> floor(lod), W >> floor(lod)]
        return upsample_nearest(images, 2 ** math.floor(lod))

    def _given(self, noises: Sequence[Tensor], count: int) -> Sequence[Tensor | None]:
        """Check explicit noise maps, of all layers or of the `count` first ones at least."""
        expected, got = self.noise_shapes, [tuple(noise.shape) for noise in noises]
        fits = [shape[1:] for shape in got] == [(1, *shape) for shape in expected[: len(got)]]
        if not fits or len(got) < min(count, len(expected)):
            raise ShapeError(
                f"synthesis expects {len(expected)} noise maps [N or 1, 1, H, W] of (H, W) {expected}, got {got}; "
                "noise_shapes gives their sizes"
            )
        return noises or [None] * count

    def _maps(self, noise_mode: str, ws: Tensor, layers: Sequence[NoiseLayer]) -> list[Tensor | None]:
        if noise_mode not in NOISE_MODES:
            raise ConfigError(f"noise_mode: got '{noise_mode}', expected one of {', '.join(NOISE_MODES)}")
        if noise_mode == "none" or not self.use_noise:
            return [None] * len(layers)
        if noise_mode == "const":
            return [layer.noise_const[None, None] for layer in layers]
        return [torch.randn(ws.shape[0], 1, *layer.noise_const.shape, device=ws.device) for layer in layers]
