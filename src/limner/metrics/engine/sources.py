"""Where pictures come from: a generator or a data set, as numbered bytes.

Picture i of a generator depends on (seed, i) alone: its latent, label and noise maps are drawn from one stream seeded
with both, so neither the batch size nor the number of processes changes it, and global random streams are left alone.
The pictures of a data set are numbered in an order shuffled by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from limner.config import Resolution
from limner.errors import ConfigError, NonFiniteError
from limner.images import to_uint8
from limner.papers.base import Generator

if TYPE_CHECKING:
    from limner.data.base import Dataset

SEED_STRIDE = 0x9E3779B1
"""Odd number near 2^32 / golden ratio: picture streams of different seeds stay far apart."""


class PictureSource(Protocol):
    """Numbered pictures of one size."""

    @property
    def name(self) -> str:
        """What to call it in a result."""

    @property
    def seed(self) -> int:
        """Chose the pictures or their order."""

    @property
    def resolution(self) -> Resolution:
        """(height, width), pixels."""

    @property
    def channels(self) -> int:
        """1 to 4."""

    @property
    def size(self) -> int | None:
        """How many pictures there are; None: without end."""

    def pictures(self, indices: Sequence[int]) -> Tensor:
        """Return pictures [n, C, H, W] uint8; numbers past the end go round again.

        Raises:
            DataError: a picture cannot be read.
            NonFiniteError: a generator made NaN or infinity.
        """

    def identity(self, count: int) -> str | None:
        """Return a text that changes when one of the first `count` pictures does; None where there is no such text."""


class DatasetPictures:
    """The pictures of a data set, shuffled."""

    def __init__(self, dataset: Dataset, *, seed: int = 0, mirror: bool = False, backwards: bool = False) -> None:
        """Number the pictures of `dataset`.

        Args:
            dataset: where they are read.
            seed: shuffles them.
            mirror: every picture comes a second time, mirrored left to right.
            backwards: number them from the end of the shuffled order.
        """
        self.dataset, self.seed = dataset, seed
        self.name = dataset.name
        self.resolution, self.channels = dataset.resolution, dataset.channels
        self.size = len(dataset) * (1 + mirror)
        self._how = f"seed {seed}" + (", mirrored" if mirror else "") + (", backwards" if backwards else "")
        self.is_mirrored = mirror
        order = np.random.RandomState(seed % 2**32).permutation(self.size)
        self._order = order[::-1] if backwards else order

    def pictures(self, indices: Sequence[int]) -> Tensor:
        count, images = len(self.dataset), []
        for index in indices:
            place = int(self._order[index % self.size])
            image = self.dataset.image(place % count)  # [C, H, W]
            images.append(image[:, :, ::-1] if place >= count else image)
        return torch.from_numpy(np.stack(images))  # [n, C, H, W]

    def identity(self, count: int) -> str:
        """See `PictureSource`. Of all pictures, the order does not count."""
        how = ("mirrored" if self.is_mirrored else "") if count == self.size else f"{self._how}, {count} pictures"
        return f"{self.dataset.fingerprint} {how}".rstrip()


@dataclass(frozen=True)
class Draws:
    """What pictures of a generator are made of."""

    z: Tensor
    """[n, z_dim]."""
    c: Tensor | None
    """[n, c_dim]; None for an unconditional generator."""
    noises: list[Tensor]
    """[n, 1, h, w] each, in the order of `noise_shapes`."""
    extra: Tensor
    """[n, k] uniform in [0, 1): further draws of the same streams, as many as were asked for."""


class GeneratorPictures:
    """The pictures of a generator: truncation off, fresh noise maps for every picture."""

    size = None

    def __init__(
        self,
        generator: Generator,
        labels: Dataset | None = None,
        *,
        device: torch.device | str = "cpu",
        seed: int = 0,
        name: str = "generator",
    ) -> None:
        """Number the pictures of `generator`.

        Args:
            generator: on `device`.
            labels: data set whose labels a conditional generator gets, drawn at random.
            device: where the generator is.
            seed: names the latents.
            name: what to call it in a result.

        Raises:
            ConfigError: a conditional generator without labels, or with labels of another length.
        """
        if generator.c_dim and (labels is None or labels.c_dim != generator.c_dim):
            got = "no data set" if labels is None else f"the data set '{labels.name}' with labels of {labels.c_dim}"
            raise ConfigError(
                f"metrics: the generator is conditional (labels of {generator.c_dim} values) and its labels are drawn "
                f"from the data; got {got}; give the labelled data set it was trained on as --data"
            )
        self.generator, self.name, self.seed = generator, name, seed
        self.resolution, self.channels = generator.img_resolution, generator.img_channels
        self._labels = labels if generator.c_dim else None
        self._device = torch.device(device)

    def draws(self, indices: Sequence[int], num_extra: int = 0, salt: int = 0) -> Draws:
        """Return what pictures `indices` are made of, on the generator's device.

        Args:
            indices: numbers of pictures.
            num_extra: further uniform numbers a picture.
            salt: another number gives other draws for the same pictures.
        """
        stream = torch.Generator()
        z, labels, noises, extra = [], [], [], []
        for index in indices:
            stream.manual_seed(((self.seed + salt) * SEED_STRIDE + index) % 2**32)  # torch's CPU stream takes 32 bits
            z.append(torch.randn(self.generator.z_dim, generator=stream))
            labels.append(torch.rand((), generator=stream))
            noises.append([torch.randn(1, h, w, generator=stream) for h, w in self.generator.noise_shapes])
            extra.append(torch.rand(num_extra, generator=stream))
        c = self._labels.sample_labels(torch.stack(labels)).to(self._device) if self._labels is not None else None
        maps = [torch.stack(level).to(self._device) for level in zip(*noises, strict=True)]  # [n, 1, h, w] each
        return Draws(torch.stack(z).to(self._device), c, maps, torch.stack(extra).to(self._device))

    def pictures(self, indices: Sequence[int]) -> Tensor:
        draws = self.draws(indices)
        with self.evaluating():
            images = self.generator.synthesis(self.generator.mapping(draws.z, draws.c), noises=draws.noises or None)
        check_finite(images, self.name)
        return torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2)  # [n, C, H, W]

    def identity(self, count: int) -> None:
        """See `PictureSource`: nothing is kept of a generator, whose weights change."""

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Use the generator in evaluation mode without a graph, and leave its mode as it was."""
        training = self.generator.training
        self.generator.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.generator.train(training)


def check_finite(images: Tensor, name: str) -> None:
    """Raise `NonFiniteError` when generated images hold NaN or infinity."""
    if not torch.isfinite(images).all():
        raise NonFiniteError(
            f"metrics: '{name}' makes pictures with NaN or infinity, which no metric can measure; take a snapshot from "
            "before its training diverged"
        )
