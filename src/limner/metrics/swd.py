"""Sliced Wasserstein distance of local patches (`swd`, `swd2k`).

Source: ProGAN paper (Karras et al. 2018), Section 5: a Laplacian pyramid (Burt & Adelson 1983) from full resolution
down to 16 px; from every picture and level 128 descriptors, patches of 7x7 pixels at uniformly random places; each set
of descriptors normalised to mean 0 and standard deviation 1 per colour channel; the sliced Wasserstein-1 distance
(Rabin et al. 2011) over 4 x 128 random unit directions. Values are given times 1000, per level and averaged. Lower is
better; normalisation makes it blind to a uniform change of brightness or contrast.

`swd` is the paper's protocol with 16,384 pictures a set, `swd2k` the same with 2,048 (a k is 1,024 here); values of the
two cannot be compared. A smaller reference is gone round again. Pictures are bytes; pyramid borders mirror without
repeating the edge pixel; odd sizes round up.

Disk: 128 x 49 x C x 2 bytes a picture, level and set, which is 617 MB a level and set for `swd` in colour, in files
that are gone when the process ends (TMPDIR names the folder). A single process has one level of one set in memory at a
time, and some 200 MB beside it; each of several processes holds all of it in memory.

*deviations*: descriptors are held as 16-bit fixed point with steps of 1/128 grey level.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from limner.config import Resolution
from limner.errors import ShapeError
from limner.metrics.base import Accumulator, Metric, State, Statistic
from limner.metrics.engine.networks import Networks
from limner.metrics.engine.sources import SEED_STRIDE, PictureSource

PATCH = 7
"""Side of a patch, pixels."""
PATCHES_PER_IMAGE = 128
"""Patches of a picture and level."""
REPEATS, DIRECTIONS = 4, 128
"""Rounds of random directions, and directions in a round."""
SMALLEST_LEVEL = 16
"""The pyramid ends before a side would be smaller than this, pixels."""
SCALE = 1000.0
"""Factor of reported values."""
FIXED_POINT = 128
"""Steps of a grey level in stored descriptors: values of a level lie in [-255, 255], so 255 x 128 fits 16 bits."""
CHUNK_NUMBERS = 2**24
"""Projections of a set held at once: 64 MB."""
BLOCK_PATCHES = 2**12
"""Descriptors converted to float at once: 2.4 MB in colour, which stays in the cache."""
_FILES: MutableMapping[int, mmap.mmap] = WeakValueDictionary()
"""Address of a tensor that lies in a file -> the mapping, which lives as long as the tensor."""


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """A set of descriptors before normalisation, and its normalisation."""

    values: Tensor
    """[n, k], any number type."""
    mean: Tensor
    """[k] float64: subtracted first."""
    std: Tensor
    """[k] float64, positive: divided by afterwards."""


@dataclass(frozen=True, kw_only=True)
class Patches(Statistic):
    """Patches of every level of every picture: `level0` [n * 128, 49 C] int16, ..., and `shape` [3]: C, H, W.

    They lie in temporary files without a name, so that memory holds no more of them than the system likes to.
    """

    side: int
    """0 for the reference, 1 for what is measured: places are drawn apart."""

    is_stored = False

    def accumulator(self, source: PictureSource, networks: Networks) -> PatchAccumulator:
        return PatchAccumulator(source.resolution, source.channels, 2 * source.seed + self.side)

    def merged(self, states: Sequence[State]) -> State:
        if len(states) == 1:
            return states[0]
        patches = {name: torch.cat([state[name] for state in states]) for name in states[0] if name != "shape"}
        return patches | {"shape": states[0]["shape"]}


class PatchAccumulator(Accumulator):
    """See `Patches`; the places in a picture depend on the seed and its number alone."""

    def __init__(self, resolution: Resolution, channels: int, seed: int) -> None:
        self._shape = (channels, *resolution)
        self._levels = level_sizes(resolution)
        self._seed = seed
        self._files = [tempfile.TemporaryFile() for _ in self._levels]  # noqa: SIM115 - see close
        self._taken = 0

    def add(self, indices: Tensor, values: Tensor) -> None:
        stream = torch.Generator()
        corners = []
        for index in indices.tolist():
            stream.manual_seed((self._seed * SEED_STRIDE + index) % 2**32)
            corners.append(torch.rand(len(self._levels), PATCHES_PER_IMAGE, 2, generator=stream))
        places = torch.stack(corners)  # [N, levels, P, 2]
        for level, (band, file) in enumerate(
            zip(laplacian_pyramid(values.cpu().float(), len(self._levels)), self._files, strict=True)
        ):
            patches = _take_patches(band, places[:, level])  # [N P, 49 C]
            file.write((patches * FIXED_POINT).round_().short().numpy().data)
        self._taken += len(values)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def state(self) -> State:
        if not self._taken:
            return {}
        shape = (self._taken * PATCHES_PER_IMAGE, PATCH * PATCH * self._shape[0])
        state = {"shape": torch.tensor(self._shape)}
        for level, file in enumerate(self._files):
            file.flush()
            state[f"level{level}"] = _mapped(file.fileno(), shape)
        return state


@dataclass(frozen=True, kw_only=True)
class SlicedWasserstein(Metric):
    """The distance between two sets of pictures, per level of the pyramid and averaged."""

    def real_statistics(self) -> tuple[Statistic, ...]:
        return (Patches(count=self.num_real or 0, side=0),)

    def generated_statistics(self) -> tuple[Statistic, ...]:
        return (Patches(count=self.num_generated, side=1),)

    def compute(self, real: Sequence[State], generated: Sequence[State], seed: int) -> dict[str, float]:
        """Return the average under `name` and every level's value under `name/<height>` (or `name/<height>x<width>`).

        Raises:
            ShapeError: the sets differ in size or number of pictures.
        """
        a, b = real[0], generated[0]
        if a["shape"].tolist() != b["shape"].tolist() or len(a["level0"]) != len(b["level0"]):
            raise ShapeError(
                f"{self.name}: got {_set_text(a)} and {_set_text(b)}, expected two sets of one size and number"
            )
        channels, height, width = a["shape"].tolist()
        directions = torch.Generator().manual_seed(seed % 2**32)
        per_level = {
            f"{self.name}/{_level_name(size)}": SCALE
            * sliced_wasserstein(
                descriptors(a[f"level{level}"], channels), descriptors(b[f"level{level}"], channels), directions
            )
            for level, size in enumerate(level_sizes((height, width)))
        }
        return {self.name: sum(per_level.values()) / len(per_level), **per_level}


def descriptors(values: Tensor, channels: int) -> Descriptors:
    """Return stored patches [n, 49 C] as descriptors, normalised per channel over the set."""
    total = torch.zeros(2, channels, dtype=torch.float64)
    for block in values.split(BLOCK_PATCHES):
        numbers = block.double().view(-1, channels)  # [pixels, C]
        total += torch.stack([numbers.sum(0), numbers.square().sum(0)])
    _release(values)
    mean, mean_square = total / (len(values) * PATCH * PATCH)
    std = (mean_square - mean.square()).clamp(min=0).sqrt()
    std = torch.where(std > 0, std, 1.0)  # a channel without contrast is all zero after centring
    return Descriptors(values=values, mean=mean.repeat(PATCH * PATCH), std=std.repeat(PATCH * PATCH))


def sliced_wasserstein(a: Descriptors, b: Descriptors, generator: torch.Generator) -> float:
    """Return the mean Wasserstein-1 distance of two equally large sets over `REPEATS` x `DIRECTIONS` unit directions.

    In one dimension, the distance between equally many points is the mean difference of the sorted points.

    Args:
        a: descriptors [n, k].
        b: descriptors [n, k].
        generator: source of the directions; advanced.
    """
    count, length = a.values.shape
    chunk = min(max(CHUNK_NUMBERS // count, 1), DIRECTIONS)
    distances = []
    for _ in range(REPEATS):
        directions = torch.randn(length, DIRECTIONS, generator=generator, dtype=torch.float64)
        directions /= directions.norm(dim=0)  # [k, 128], unit columns
        for part in directions.split(chunk, dim=1):
            distances.append(_distances(a, b, part))
    return float(np.concatenate(distances).mean())


def _distances(a: Descriptors, b: Descriptors, directions: Tensor) -> np.ndarray:
    """Return the distance of two sets along each of the directions [k, d]: [d] float64."""
    p, q = _project_sorted(a, directions), _project_sorted(b, directions)  # [d, n] each
    return np.abs(np.subtract(p, q, out=p), out=p).mean(axis=1, dtype=np.float64)


def _project_sorted(points: Descriptors, directions: Tensor) -> np.ndarray:
    """Return the normalised points projected on directions [k, d] and sorted: [d, n] float32.

    The normalisation is applied to the directions instead of the points. NumPy sorts rows more than ten times as fast
    as torch on a CPU.
    """
    scaled = directions / points.std[:, None]  # [k, d]
    offset = (-points.mean @ scaled).float()[:, None]  # [d, 1]
    scaled = scaled.T.float().contiguous()  # [d, k]
    projected = torch.empty(scaled.shape[0], len(points.values))
    for start in range(0, len(points.values), BLOCK_PATCHES):
        block = points.values[start : start + BLOCK_PATCHES].float()
        projected[:, start : start + len(block)] = torch.addmm(offset, scaled, block.T)
    _release(points.values)
    rows = projected.numpy()
    rows.sort(axis=1)
    return rows


def _mapped(file: int, shape: tuple[int, int]) -> Tensor:
    """Return the numbers in an open file as a tensor of int16 that lies there, not in memory."""
    pages = mmap.mmap(file, 0)
    values = torch.from_numpy(np.frombuffer(pages, np.int16).reshape(shape))
    _FILES[values.data_ptr()] = pages
    return values


def _release(values: Tensor) -> None:
    """Leave the pages of a tensor that lies in a file to the file, where the system can; they are read when used."""
    pages = _FILES.get(values.data_ptr())
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def level_sizes(resolution: Resolution) -> list[Resolution]:
    """Return (height, width) of every level, full resolution first.

    Raises:
        ShapeError: a picture smaller than a patch.
    """
    height, width = resolution
    if min(height, width) < PATCH:
        raise ShapeError(f"swd: got pictures of {width}x{height} px, expected both sides of at least {PATCH} px")
    sizes = [(height, width)]
    while min(height, width) > 2 * (SMALLEST_LEVEL - 1):
        height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    return sizes


def laplacian_pyramid(images: Tensor, num_levels: int) -> list[Tensor]:
    """Split images [N, C, H, W] float into bands of detail, finest first, and a last level of what remains."""
    levels = []
    for _ in range(num_levels - 1):
        smaller = pyramid_down(images)  # [N, C, ceil(H/2), ceil(W/2)]
        levels.append(images - pyramid_up(smaller, (images.shape[2], images.shape[3])))
        images = smaller
    return [*levels, images]


def pyramid_down(images: Tensor) -> Tensor:
    """Blur images [N, C, H, W] with (1 4 6 4 1)/16 both ways and keep every other pixel."""
    for dim in (2, 3):
        images = images.transpose(dim, 3)
        padded = functional.pad(images, (2, 2, 0, 0), mode="reflect")
        count = -(-images.shape[3] // 2)
        a, b, c, d, e = (padded[..., i : i + 2 * count - 1 : 2] for i in range(5))
        images = (0.0625 * (a + e) + 0.25 * (b + d) + 0.375 * c).transpose(dim, 3)
    return images


def pyramid_up(images: Tensor, size: Resolution) -> Tensor:
    """Enlarge images [N, C, h, w] to `size`: put zeros between, blur as `pyramid_down` does, times 4.

    Zeros contribute nothing, so even pixels see (1 6 1)/8 and odd ones (4 4)/8 of their neighbours.
    """
    for dim in (2, 3):
        images = images.transpose(dim, 3)
        length = size[dim - 2]
        before = images[..., 1:2]
        after = images[..., -1:] if length % 2 == 0 else images[..., -2:-1]
        padded = torch.cat([before, images, after], dim=3)
        even = 0.125 * (padded[..., :-2] + padded[..., 2:]) + 0.75 * images
        odd = 0.5 * (images + padded[..., 2:])
        images = torch.stack([even, odd], dim=4).flatten(3)[..., :length].transpose(dim, 3)
    return images


def _take_patches(images: Tensor, corners: Tensor) -> Tensor:
    """Cut patches out of images [N, C, H, W] at relative corners [N, P, 2] in [0, 1): [N P, 49 C], channels last."""
    room = torch.tensor([images.shape[2] - PATCH + 1, images.shape[3] - PATCH + 1])
    y, x = (corners * room).long().clamp(max=room - 1).unbind(-1)  # [N, P] each
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()  # [N, H, W, C]
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))  # [N, h, w, C, 7, 7]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # [N, h, w, 7, 7, C]
    taken = windows[np.arange(len(pixels))[:, None], y.numpy(), x.numpy()]  # [N, P, 7, 7, C]
    return torch.from_numpy(taken).flatten(2).flatten(0, 1)


def _set_text(state: State) -> str:
    channels, height, width = state["shape"].tolist()
    return f"{len(state['level0']) // PATCHES_PER_IMAGE} pictures of {width}x{height} px with {channels} channels"


def _level_name(level: Resolution) -> str:
    height, width = level
    return str(height) if height == width else f"{height}x{width}"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        SlicedWasserstein(
            stem="swd", kilo=1024, unnamed_count=16384, num_generated=count, num_real=count, repeats_real=True
        )
        for count in (16384, 2048)
    )
}
