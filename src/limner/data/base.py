"""What a set of pictures is: `Source` (as they lie on disk), `Labels`, and `Dataset` (uniform pixel arrays)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from limner.config import Resolution
from limner.data import decode
from limner.errors import DataError

LabelKind = Literal["classes", "attributes"]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One label a picture, in the order of the pictures."""

    kind: LabelKind
    """`classes`: one of several; `attributes`: a vector of independent values."""
    values: np.ndarray
    """int64 [N] class numbers, or float32 [N, D] vectors."""
    names: tuple[str, ...] | None = None
    """Names of the classes or attributes; None when the data give none."""
    dim: int = 0
    """Length of a label vector."""

    def vectors(self, indices: np.ndarray) -> np.ndarray:
        """Return the labels of `indices` [n] as float32 [n, dim]; classes become one-hot."""
        chosen = self.values[indices]
        if self.kind == "attributes":
            return chosen  # [n, dim]
        one_hot = np.zeros((len(chosen), self.dim), np.float32)
        one_hot[np.arange(len(chosen)), chosen] = 1.0
        return one_hot  # [n, dim]

    def take(self, indices: np.ndarray) -> Labels:
        """Return the labels of the pictures `indices`, in that order."""
        return Labels(kind=self.kind, values=self.values[indices], names=self.names, dim=self.dim)

    def counts(self) -> dict[str, int]:
        """Return label name (or number) -> how many pictures carry it; vector entries count when above 0."""
        if self.kind == "classes":
            totals = np.bincount(self.values, minlength=self.dim)
        else:
            totals = (self.values > 0).sum(axis=0)
        names = self.names or tuple(str(i) for i in range(self.dim))
        return {name: int(total) for name, total in zip(names, totals, strict=True)}


@dataclass(kw_only=True)
class Survey:
    """What the headers of a source say."""

    sizes: Counter[Resolution] = field(default_factory=Counter)
    """(height, width) -> number of pictures."""
    channels: Counter[int] = field(default_factory=Counter)
    """Channels -> number of pictures."""
    bits: Counter[int] = field(default_factory=Counter)
    """Bits a channel -> number of pictures."""
    broken: dict[str, str] = field(default_factory=dict)
    """Name -> reason for pictures whose header cannot be read."""

    def sizes_table(self, rows: int = 5) -> str:
        """Return the commonest sizes and their counts on one line: ``64x64 (120), 32x32 (4)``, height first."""
        common = [f"{h}x{w} ({count})" for (h, w), count in self.sizes.most_common(rows)]
        more = len(self.sizes) - len(common)
        return ", ".join(common) + (f" and {more} more sizes" if more else "")


class Source(ABC):
    """Pictures as they lie on disk: any size and kind, decoded one at a time. Reading is thread safe."""

    path: str
    """Where it was opened from."""
    form: str
    """What it is, in words, such as `zip` or `CIFAR-10`."""
    names: tuple[str, ...]
    """Pictures, relative and with forward slashes, sorted."""
    others: tuple[str, ...] = ()
    """Files beside them that are neither pictures nor labels."""
    labels: Labels | None = None
    """Labels in the order of `names`; None when there are none."""
    size_bytes: int = 0
    """Size on disk, bytes."""

    @abstractmethod
    def picture(self, index: int) -> Image.Image:
        """Return the picture, fully decoded and upright.

        Raises:
            PictureError: it cannot be used; the error gives the reason.
        """

    @abstractmethod
    def header(self, index: int) -> decode.Header:
        """Return size and kind without decoding. Raises `PictureError` as `picture` does."""

    @abstractmethod
    def stamps(self) -> list[str]:
        """Return one short text a picture that changes when its content changes (sizes and checksums)."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release files; the source cannot be read afterwards."""

    def survey(self) -> Survey:
        """Read every header."""
        found = Survey()
        for index, name in enumerate(self.names):
            try:
                header = self.header(index)
            except decode.PictureError as error:
                found.broken[name] = str(error)
                continue
            found.sizes[header.height, header.width] += 1
            found.channels[header.channels] += 1
            found.bits[header.bits] += 1
        return found


class Dataset:
    """Pictures of one size as uint8 arrays, with label vectors. Reading is thread safe."""

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        stored_resolution: Resolution,
        resolution: Resolution,
        channels: int,
        indices: np.ndarray,
        note: str = "",
    ) -> None:
        self.source = source
        self.name = name
        self.path = source.path
        self.resolution = resolution
        self.channels = channels
        self.note = note
        self.labels = source.labels.take(indices) if source.labels else None
        self.c_dim = self.labels.dim if self.labels else 0
        self.label_names = self.labels.names if self.labels else None
        self._indices = indices
        self._stored_resolution = stored_resolution

    def __len__(self) -> int:
        return len(self._indices)

    def image(self, i: int) -> np.ndarray:
        """Return picture `i` as uint8 [C, H, W].

        Raises:
            DataError: the picture is broken or of another size than its header said.
        """
        index = int(self._indices[i])
        try:
            picture = decode.to_channels(self.source.picture(index), self.channels)
        except decode.PictureError as error:
            raise DataError(
                f"cannot read '{self.source.names[index]}' of {self.path}: {error}; "
                f"'limner prepare' makes a data set without the pictures that cannot be read"
            ) from None
        size = (picture.height, picture.width)
        if size != self._stored_resolution:
            raise DataError(
                f"'{self.source.names[index]}' of {self.path} is {_by(size)} pixels, expected "
                f"{_by(self._stored_resolution)} like the others; run 'limner prepare' on the data first"
            )
        if size != self.resolution:
            picture = picture.reduce(size[0] // self.resolution[0])
        return decode.to_array(picture)

    def label(self, i: int) -> np.ndarray:
        """Return the label of picture `i` as float32 [c_dim]; classes are one-hot."""
        return self.label_vectors(np.array([i]))[0]

    def label_vectors(self, indices: np.ndarray) -> np.ndarray:
        """Return the labels of pictures `indices` [n] as float32 [n, c_dim]."""
        if self.labels is None:
            return np.zeros((len(indices), 0), np.float32)
        return self.labels.vectors(indices)

    def sample_labels(self, draw: Tensor) -> Tensor:
        """Return the labels of uniformly drawn pictures.

        Args:
            draw: [n] float in [0, 1).

        Returns:
            [n, c_dim] float32 on the device of `draw`.
        """
        chosen = (draw.double() * len(self)).long().clamp_(0, len(self) - 1)  # [n]
        return torch.from_numpy(self.label_vectors(chosen.cpu().numpy())).to(draw.device)  # [n, c_dim]

    def split(self, share: float, seed: int) -> tuple[Dataset, Dataset]:
        """Return most of the pictures and the others, each in order; `share` of them, chosen by `seed`, are the others.

        Raises:
            DataError: either would be empty.
        """
        chosen = np.random.RandomState(seed % 2**32).permutation(len(self)) < round(share * len(self))
        if chosen.all() or not chosen.any():
            raise DataError(
                f"{self.path}: got {len(self)} pictures, of which a share of {share:g} is to be held out, expected at "
                "least one picture in either part; change data.held_out, or give more pictures"
            )
        parts = []
        for indices in (self._indices[~chosen], self._indices[chosen]):
            parts.append(
                Dataset(
                    self.source,
                    name=self.name,
                    stored_resolution=self._stored_resolution,
                    resolution=self.resolution,
                    channels=self.channels,
                    indices=indices,
                    note=self.note,
                )
            )
        return parts[0], parts[1]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of names, sizes, checksums, labels and of how pictures are read: 32 hex digits."""
        digest = hashlib.sha256(repr((self.resolution, self.channels, self.c_dim)).encode())
        stamps = self.source.stamps()
        for index in self._indices:
            digest.update(f"{self.source.names[index]}\0{stamps[index]}\n".encode())
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels.values).tobytes())
        return digest.hexdigest()[:32]

    def close(self) -> None:
        """Release the files."""
        self.source.close()


def _by(size: Resolution) -> str:
    return f"{size[0]}x{size[1]}"
