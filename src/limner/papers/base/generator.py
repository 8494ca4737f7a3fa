"""The contract of a generator, and the random numbers that seeds name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from limner.config import Resolution
from limner.errors import ConfigError, ShapeError, closest
from limner.images import to_pil

NoiseMode = Literal["const", "random", "none"]
NOISE_MODES: tuple[str, ...] = ("const", "random", "none")
CodeSpace = Literal["z", "w", "w+"]
"""Latents an encoder gives: z; one w for all layers; a w for each."""


def seed_to_z(seed: int, z_dim: int) -> Tensor:
    """Return the latent every tool of the field gives a seed: `numpy.random.RandomState(seed).randn(1, z_dim)`.

    Args:
        seed: 0 to 2^32 - 1.
        z_dim: length of z.

    Returns:
        z: [1, z_dim] float32 on the CPU.

    Raises:
        ConfigError: a seed out of range.
    """
    _check_seed(seed)
    return torch.from_numpy(np.random.RandomState(seed).randn(1, z_dim).astype(np.float32))


def seed_to_noises(seed: int, z_dim: int, shapes: Sequence[Resolution]) -> list[Tensor]:
    """Return noise maps that depend on the seed alone: one [1, 1, H, W] per shape, float32 on the CPU.

    The numbers continue the stream that gave the seed's z, so a map is independent of z; this is the order the
    StyleGAN2 generating script used (noise is set from the same stream after z was drawn).

    Raises:
        ConfigError: a seed out of range (0 to 2^32 - 1).
    """
    _check_seed(seed)
    stream = np.random.RandomState(seed)
    stream.randn(1, z_dim)
    return [torch.from_numpy(stream.randn(1, 1, *shape).astype(np.float32)) for shape in shapes]


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed: got {seed}, expected 0 to {2**32 - 1}")


class Generator(nn.Module, ABC):
    """Latents to pictures. All attributes but `lod` are set by the subclass's constructor."""

    z_dim: int
    w_dim: int
    c_dim: int
    num_ws: int
    img_resolution: Resolution
    img_channels: int
    w_avg: Tensor
    lod: float = 0.0
    """Level of detail the weights are trained to, taken by `synthesis` by default; above 0 while a run still grows."""

    @abstractmethod
    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Map latents to intermediate latents.

        Args:
            z: [N, z_dim] float.
            c: [N, c_dim] float label vectors; None only when `c_dim` is 0.
            truncation_psi: 1 leaves w as it is, 0 gives the average w.
            truncation_cutoff: truncate only this many first layers; None: all.

        Returns:
            ws: [N, num_ws, w_dim].
        """

    @abstractmethod
    def synthesis(
        self,
        ws: Tensor,
        *,
        noise_mode: NoiseMode = "const",
        noises: Sequence[Tensor] | None = None,
        lod: float | None = None,
    ) -> Tensor:
        """Map intermediate latents to pictures.

        Args:
            ws: [N, num_ws, w_dim] float.
            noise_mode: `const` uses the stored maps, `random` fresh ones, `none` no noise.
            noises: explicit noise maps [N or 1, 1, H, W] in `noise_shapes` order; overrides `noise_mode`.
            lod: level of detail of a growing generator (see `ops.growing`); None: the attribute `lod`.

        Returns:
            images: [N, C, H, W] float, nominally in [-1, 1]; full size at any `lod`.

        Raises:
            ShapeError: latents or noise maps of another shape.
            ConfigError: an unknown noise mode, or a level of detail that the generator does not have.
        """

    @property
    @abstractmethod
    def noise_shapes(self) -> tuple[Resolution, ...]:
        """(height, width) of every noise map, first layer first; empty when the generator takes no noise."""

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
    ) -> Tensor:
        """Compose `mapping` and `synthesis`: z [N, z_dim] to images [N, C, H, W]."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode)

    @torch.no_grad()
    def sample(
        self,
        seeds: Sequence[int],
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        label: int | Sequence[float] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Image.Image]:
        """Make one picture per seed. A picture depends on its own seed alone, bit for bit, never on the others.

        Args:
            seeds: 0 to 2^32 - 1 each; see `seed_to_z`.
            truncation_psi: 1 leaves w as it is, 0 gives the average picture.
            truncation_cutoff: truncate only this many first layers; None: all.
            noise_mode: `const` uses the stored noise maps, `random` maps drawn from the seed, `none` no noise.
            label: number of a class or a label vector of length `c_dim`; needed by a conditional generator alone.
            progress: called with the number of pictures made so far, after each.

        Raises:
            ConfigError: a seed, label, truncation or noise mode out of range.
        """
        pictures = []
        for count, seed in enumerate(seeds, 1):
            ws = self.seed_to_ws(seed, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff, label=label)
            pictures += to_pil(self.synthesis(ws, **self.noise_arguments(noise_mode, seed)))
            if progress:
                progress(count)
        return pictures

    @torch.no_grad()
    def seed_to_ws(
        self,
        seed: int,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        label: int | Sequence[float] | None = None,
    ) -> Tensor:
        """Return the intermediate latents [1, num_ws, w_dim] of a seed. Arguments and errors are those of `sample`."""
        if not math.isfinite(truncation_psi):
            raise ConfigError(f"truncation psi: got {truncation_psi}, expected a number such as 0.7")
        if truncation_cutoff is not None and not 0 <= truncation_cutoff <= self.num_ws:
            raise ConfigError(
                f"truncation cutoff: got {truncation_cutoff}, expected 0 to {self.num_ws}; "
                f"this generator has num_ws={self.num_ws}"
            )
        z = seed_to_z(seed, self.z_dim).to(self.w_avg.device)
        return self.mapping(
            z, self.label_vector(label), truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff
        )

    def label_vector(self, label: int | Sequence[float] | None) -> Tensor | None:
        """Return a label as c [1, c_dim] on the generator's device; None when the generator takes none.

        Args:
            label: number of a class (one-hot) or a vector of length `c_dim`.

        Raises:
            ConfigError: a label is missing, not wanted, out of range or of another length.
        """
        how = f"give the number of a class (0 to {self.c_dim - 1}) or a vector of {self.c_dim} numbers"
        if self.c_dim == 0:
            if label is not None:
                raise ConfigError(f"label: got {label}, but this generator is unconditional; leave the label out")
            return None
        if label is None:
            raise ConfigError(f"label: got none, but this generator is conditional: {how} as label (--class)")
        if isinstance(label, int):
            if not 0 <= label < self.c_dim:
                raise ConfigError(f"label: got {label}, expected 0 to {self.c_dim - 1}; {how}")
            label = [float(index == label) for index in range(self.c_dim)]
        if len(label) != self.c_dim:
            raise ConfigError(f"label: got a vector of {len(label)} numbers, expected {self.c_dim}; {how}")
        return torch.tensor([label], dtype=torch.float32, device=self.w_avg.device)  # [1, c_dim]

    def noise_arguments(self, noise_mode: NoiseMode, seed: int) -> dict[str, Any]:
        """Return what `synthesis` needs for `noise_mode`, with random noise drawn from the seed.

        Raises:
            ConfigError: an unknown noise mode; the message gives the closest one.
        """
        if noise_mode not in NOISE_MODES:
            raise ConfigError(
                f"noise mode: got '{noise_mode}', expected {', '.join(NOISE_MODES)}.{closest(noise_mode, NOISE_MODES)}"
            )
        if noise_mode != "random":
            return {"noise_mode": noise_mode}
        return {
            "noises": [noise.to(self.w_avg.device) for noise in seed_to_noises(seed, self.z_dim, self.noise_shapes)]
        }

    def check_z(self, z: Tensor, c: Tensor | None) -> None:
        """Raise `ShapeError` unless z is [N, z_dim] and c is [N, c_dim] (or None when `c_dim` is 0)."""
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ShapeError(
                f"mapping expects z of [N, {self.z_dim}], got {list(z.shape)}; this generator has z_dim={self.z_dim}"
            )
        if self.c_dim and (c is None or c.shape != (z.shape[0], self.c_dim)):
            got = "None" if c is None else str(list(c.shape))
            raise ShapeError(
                f"mapping expects labels c of [{z.shape[0]}, {self.c_dim}], got {got}; "
                "this generator is conditional, so give every sample a label"
            )

    def check_ws(self, ws: Tensor) -> None:
        """Raise `ShapeError` unless ws is [N, num_ws, w_dim]."""
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ShapeError(
                f"synthesis expects ws of [N, {self.num_ws}, {self.w_dim}], got {list(ws.shape)}; "
                "make ws with mapping(), or repeat a single w num_ws times"
            )
