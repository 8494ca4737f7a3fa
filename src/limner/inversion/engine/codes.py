"""Codes: what is searched (z, w or w+), where the search starts, and how W is spread.

Source: StyleGAN2 paper, Appendix D: mean and deviation of w over 10,000 latents (official projector: those of
`RandomState(123)`, one number for the deviation, the root of the mean squared distance from the mean).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from limner.errors import ConfigError, closest
from limner.inversion.base import Task
from limner.latents import Space
from limner.papers.base import Encoder, Generator, seed_to_z

Start = Literal["mean", "random", "encoder"]
NUM_SAMPLES, SAMPLE_SEED = 10_000, 123
"""Latents the spread of W is measured on, and their seed."""
NUM_CANDIDATES = 1000
"""Latents among which the start `mean` in Z is chosen."""
CHUNK = 1000
"""Latents mapped at a time."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Where the codes of a generator lie."""

    mean: Tensor
    """[num_ws, w_dim]."""
    deviation: float
    """Root of the mean squared distance of a layer's w from its mean."""


@torch.no_grad()
def spread_of_w(generator: Generator, c: Tensor | None = None) -> Spread:
    """Measure mean and deviation of w, for one label [1, c_dim] where the generator takes labels."""
    total = torch.zeros(generator.num_ws, generator.w_dim, dtype=torch.float64)
    squares = 0.0
    for _, ws in sampled(generator, NUM_SAMPLES, c):
        exact = ws.to("cpu", torch.float64)
        total += exact.sum(0)
        squares += exact.square().sum((0, 2)).mean().item()
    mean = total / NUM_SAMPLES
    variance = squares / NUM_SAMPLES - mean.square().sum(1).mean().item()
    return Spread(mean=mean.to(generator.w_avg), deviation=max(variance, 0.0) ** 0.5)


def sampled(generator: Generator, count: int, c: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield latents z [n, z_dim] of `RandomState(SAMPLE_SEED)` and their ws [n, num_ws, w_dim], `count` in all."""
    stream = np.random.RandomState(SAMPLE_SEED)
    for first in range(0, count, CHUNK):
        n = min(CHUNK, count - first)
        z = torch.from_numpy(stream.randn(n, generator.z_dim)).to(generator.w_avg)
        yield z, generator.mapping(z, None if c is None else c.expand(n, -1))


def start(task: Task, space: Space, kind: Start, *, encoder: Encoder | None, seed: int) -> Tensor:
    """Return codes to start from: [N, z_dim], [N, w_dim] or [N, num_ws, w_dim] as `space` says.

    `mean` is the average w; in Z, whose average maps nowhere, the latent, of some, whose w is nearest to it. `random`
    is the latent of `seed`. `encoder` is what the encoder says, averaged over layers where the space has one w.

    Raises:
        ConfigError: an unknown start or space, or one that does not go with the other.
    """
    if kind not in get_args(Start) or space not in get_args(Space):
        word, words = (kind, get_args(Start)) if kind not in get_args(Start) else (space, get_args(Space))
        raise ConfigError(f"invert: got '{word}', expected one of {', '.join(words)}.{closest(word, words)}")
    generator, n = task.generator, len(task.images)
    if kind == "encoder":
        if encoder is None or (space == "z" and encoder.space != "z"):
            what = "without an encoder; name one with --encoder" if encoder is None else "in z; search w or w+"
            raise ConfigError(f"invert: start 'encoder' does not work {what}")
        if space == "z":
            with torch.no_grad():
                return encoder(over_context(task))
        ws = encode(task, encoder)
        return ws if space == "w+" else ws.mean(1)
    if space == "z":
        z = nearest_z(generator, task.c) if kind == "mean" else seed_to_z(seed, generator.z_dim).to(generator.w_avg)
        return z.repeat(n, 1)
    if kind == "mean":
        ws = spread_of_w(generator, task.c).mean[None]
    else:
        ws = generator.mapping(seed_to_z(seed, generator.z_dim).to(generator.w_avg), task.c).detach()
    ws = ws.repeat(n, 1, 1)  # [N, num_ws, w_dim]
    return ws if space == "w+" else ws.mean(1)


@torch.no_grad()
def nearest_z(generator: Generator, c: Tensor | None) -> Tensor:
    """Return the latent [1, z_dim], of `NUM_CANDIDATES`, whose w is nearest to the average."""
    mean = spread_of_w(generator, c).mean
    ((z, ws),) = sampled(generator, NUM_CANDIDATES, c)
    return z[(ws - mean).square().sum((1, 2)).argmin()][None]


def to_ws(code: Tensor, space: Space, generator: Generator, c: Tensor | None) -> Tensor:
    """Return codes of a space as ws [N, num_ws, w_dim], differentiably."""
    if space == "z":
        return generator.mapping(code, None if c is None else c.expand(len(code), -1))
    return code if space == "w+" else code[:, None].expand(-1, generator.num_ws, -1)


@torch.no_grad()
def encode(task: Task, encoder: Encoder) -> Tensor:
    """Return the encoder's codes [N, num_ws, w_dim] of the pictures, masked ones over their context."""
    images = over_context(task)
    return encoder.encode(images, task.generator, None if task.c is None else task.c.expand(len(images), -1))


@torch.no_grad()
def over_context(task: Task) -> Tensor:
    """Return the pictures [N, C, H, W] as an encoder is shown them: over their context where a mask does not count."""
    if task.masks is None:
        return task.images
    context = task.context
    if context is None:
        context = task.generator.synthesis(spread_of_w(task.generator, task.c).mean[None])  # [1, C, H, W]
    return torch.where(task.masks > 0, torch.lerp(context, task.images, task.masks), context)
