"""Batches of pictures in an order that is a pure function of the seed and of how many pictures were shown before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from limner.data.base import Dataset
from limner.errors import ConfigError

Batch = tuple[Tensor, Tensor | None]
"""Pictures uint8 [n, C, H, W] and labels float32 [n, c_dim], or None when the data set has no labels."""


class Loader:
    """Endless iterator over batches of a data set, decoded ahead by threads.

    Sample number g of the run (over all processes) is entry g mod M of the permutation of epoch g div M, where M is the
    number of pictures, doubled by `mirror`. The permutation depends on (seed, epoch) alone, so neither threads, nor the
    number of processes, nor an interruption changes what is shown. Process `rank` of `world` gets the samples
    start + j * world + rank: the processes' shares interleave to the batch a single process would get.

    Args:
        dataset: the pictures.
        batch: pictures a batch over all processes, a multiple of `world`; or a function from the number of pictures
            shown before to that.
        rank: this process.
        world: number of processes.
        seed: order.
        mirror: show every picture also flipped left to right.
        start: pictures shown before, over all processes.
        workers: decoding threads.
        cache_mb: decoded pictures are kept in memory up to this size, MB; the first pictures of the data set are kept.

    Raises:
        ConfigError: a batch that `world` does not divide, or a number out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch: int | Callable[[int], int],
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        mirror: bool = False,
        start: int = 0,
        workers: int = 2,
        cache_mb: int = 2048,
    ) -> None:
        batch_at: Callable[[int], int] = batch if callable(batch) else lambda _: batch
        first = batch_at(start)
        if first < 1 or world < 1 or first % world or not 0 <= rank < world:
            raise ConfigError(
                f"got batch {first} for process {rank} of {world}, expected a batch that is a multiple of the number "
                "of processes; change --batch"
            )
        if start < 0 or workers < 1 or cache_mb < 0:
            raise ConfigError(
                f"got start {start}, workers {workers}, cache_mb {cache_mb}, expected start >= 0, workers >= 1, "
                "cache_mb >= 0"
            )
        self.dataset = dataset
        self.wait_sec = 0.0
        """Time the consumer has waited for pictures, seconds."""
        self.images_served = 0
        """Pictures handed out by this process."""
        self._rank, self._world, self._next, self._batch_at = rank, world, start, batch_at
        self._total = len(dataset) * (2 if mirror else 1)
        self._order = lru_cache(maxsize=3)(lambda epoch: epoch_order(self._total, seed, epoch))
        shape = (dataset.channels, *dataset.resolution)
        kept = min(len(dataset), (cache_mb << 20) // int(np.prod(shape)))
        self._cache = np.empty((kept, *shape), np.uint8)  # pages are only taken up once written
        self._is_cached = np.zeros(kept, bool)
        self._depth = workers + 2
        self._pending: deque[Future[Batch]] = deque()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="limner-data")

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        while len(self._pending) < self._depth:
            batch = self._batch_at(self._next)
            self._pending.append(self._pool.submit(self._make, self._next, batch))
            self._next += batch
        started = time.perf_counter()
        images, labels = self._pending.popleft().result()
        self.wait_sec += time.perf_counter() - started
        self.images_served += len(images)
        return images, labels

    def close(self) -> None:
        """Stop the threads; batches decoded ahead are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _make(self, start: int, batch: int) -> Batch:
        """Return this process's share of the `batch` samples from sample number `start` on."""
        samples = range(start + self._rank, start + batch, self._world)
        entries = np.array([self._order(g // self._total)[g % self._total] for g in samples])
        indices = entries % len(self.dataset)  # [n]
        images = np.empty((len(entries), self.dataset.channels, *self.dataset.resolution), np.uint8)  # [n, C, H, W]
        for image, index, entry in zip(images, indices, entries, strict=True):
            pixels = self._pixels(int(index))
            image[:] = pixels if entry < len(self.dataset) else pixels[:, :, ::-1]
        labels = torch.from_numpy(self.dataset.label_vectors(indices)) if self.dataset.c_dim else None
        return torch.from_numpy(images), labels

    def _pixels(self, index: int) -> np.ndarray:
        if index >= len(self._cache):
            return self.dataset.image(index)
        if not self._is_cached[index]:
            self._cache[index] = self.dataset.image(index)
            self._is_cached[index] = True
        return self._cache[index]


def epoch_order(total: int, seed: int, epoch: int) -> np.ndarray:
    """Return the permutation of `total` entries for one epoch, int64 [total]."""
    return np.random.RandomState([seed % 2**32, epoch]).permutation(total)
