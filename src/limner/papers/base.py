"""What every paper's room provides: the contracts that training, latents, checkpoints and the verbs rely on.

A room is a package `limner/papers/<room>` that exports `GeneratorConfig`, `DiscriminatorConfig`, `ObjectiveConfig`,
`Generator`, `Discriminator`, `Objective`, `PRESETS` and `PAPER`. Rooms never import one another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from limner.config import Resolution, RunConfig
from limner.errors import ShapeError

NoiseMode = Literal["const", "random", "none"]
NOISE_MODES: tuple[str, ...] = ("const", "random", "none")


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The publication a room implements."""

    title: str
    authors: str
    year: int
    arxiv: str


@dataclass(frozen=True, kw_only=True)
class PresetRequest:
    """What a preset may depend on. `None` means: the preset's own value."""

    resolution: Resolution | None = None
    """(height, width), pixels."""
    channels: int = 3
    """Channels of the pictures."""
    c_dim: int = 0
    """Length of a label vector."""
    batch: int | None = None
    """Total batch."""
    num_processes: int = 1
    """Processes of the run."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named configuration with its source and, where the paper gives one, its published score."""

    name: str
    summary: str
    """One line for listings."""
    source: str
    """Paper and table, or the official settings it restates."""
    native_resolution: Resolution
    """Resolution it was published at."""
    build: Callable[[PresetRequest], RunConfig]
    """Resolve the preset."""
    published: str = ""
    """The published score, quoted from the source."""


class Generator(nn.Module, ABC):
    """Latents to pictures. All attributes are set by the subclass's constructor."""

    z_dim: int
    w_dim: int
    c_dim: int
    num_ws: int
    img_resolution: Resolution
    img_channels: int
    w_avg: Tensor

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
    ) -> Tensor:
        """Map intermediate latents to pictures.

        Args:
            ws: [N, num_ws, w_dim] float.
            noise_mode: `const` uses the stored maps, `random` fresh ones, `none` no noise.
            noises: explicit noise maps [N or 1, 1, H, W] in `noise_shapes` order; overrides `noise_mode`.

        Returns:
            images: [N, C, H, W] float, nominally in [-1, 1].
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


class Discriminator(nn.Module, ABC):
    """Pictures to logits."""

    c_dim: int
    img_resolution: Resolution
    img_channels: int

    @abstractmethod
    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        """images [N, C, H, W] in [-1, 1] and labels [N, c_dim] to logits [N, 1]."""


class Draws(Protocol):
    """Random numbers of one phase: drawn for the total batch, handed out as this process's share.

    Every process draws the same numbers and keeps its own samples, so a result does not depend on how many processes
    share a batch.
    """

    device: torch.device

    def randn(self, *shape: int, total: int | None = None) -> Tensor:
        """Normal numbers [share, *shape]; `total` samples in all (None: the whole batch)."""

    def rand(self, *shape: int, total: int | None = None) -> Tensor:
        """Uniform numbers in [0, 1), [share, *shape]."""

    def scalar(self) -> Tensor:
        """One uniform number [], the same for every sample and process."""

    def labels(self, total: int | None = None) -> Tensor | None:
        """Labels [share, c_dim] drawn from the training set's; None when unconditional."""


@dataclass(frozen=True)
class Batch:
    """What a phase's loss gets."""

    images: Tensor
    """Real pictures [N, C, H, W] in [-1, 1]."""
    c: Tensor | None
    """Their labels [N, c_dim]; None when unconditional."""
    draws: Draws
    """Random numbers for this phase."""
    total: int
    """Samples of this phase over all processes and accumulation rounds."""


@dataclass(frozen=True)
class Phase:
    """One optimiser step of an objective."""

    name: str
    """`D`, `D_r1`, `G`, `G_pl`, ...: the name in logs and in the non-finite guard's message."""
    module: Literal["G", "D", "E"]
    """Whose parameters move."""
    interval: int
    """Run every this many iterations."""
    loss: Callable[[Batch], dict[str, Tensor]]
    """Return `loss` (to be minimised, mean over the share) and detached statistics."""
    needs_images: bool = True
    """Whether `loss` looks at real pictures."""


def identity(tensor: Tensor) -> Tensor:
    """The stand-in for cross-process averaging in a single process."""
    return tensor


@dataclass(kw_only=True)
class ObjectiveContext:
    """What the training loop lends to an objective."""

    augment: Callable[[Tensor, Draws], Tensor] | None = None
    """Augmentation applied to every picture that D sees; None: none."""
    reduce_mean: Callable[[Tensor], Tensor] = field(default=identity)
    """Average a small tensor over processes."""


class Objective(nn.Module, ABC):
    """The losses of a paper, as phases. Its buffers (such as `pl_mean`) are part of the training state."""

    G: nn.Module
    D: nn.Module
    context: ObjectiveContext

    @abstractmethod
    def phases(self) -> list[Phase]:
        """The phases of one iteration, in the order they run."""


class Room(Protocol):
    """What the package of a room exports."""

    GeneratorConfig: type
    DiscriminatorConfig: type
    ObjectiveConfig: type
    Generator: Callable[[Any], Generator]
    Discriminator: Callable[[Any], Discriminator]
    Objective: Callable[..., Objective]
    PRESETS: dict[str, Preset]
    PAPER: Paper
