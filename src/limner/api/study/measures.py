"""What is measured of codes and pictures besides reconstruction: is a code in the domain, is a set of pictures alike.

Sources: P_N space (Zhu et al. 2020, "Improved StyleGAN Embedding", Section 3): undo the mapping network's leaky ReLU,
then whiten, and W becomes nearly normal; the distance is Mahalanobis'. Self-consistency and the spread of the layers:
after the IDInvert paper, Section 3.2, and e4e (Tov et al. 2021). The Frechet distance is that of `metrics.frechet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.api.study.bench import Bench
from limner.config import Resolution
from limner.editing.engine.samples import pictures, sampled_codes
from limner.features.base import FeatureNetwork, to_rgb_bytes
from limner.images import to_uint8
from limner.metrics import runner
from limner.metrics.engine.networks import Networks
from limner.papers.base import Generator

SLOPE = 5.0
"""Undoes the leaky ReLU (slope 0.2) that ends the mapping network."""
NUM_CODES = 10_000
"""Codes that the normal distribution of W is fitted to."""
LEAST_VARIANCE = 1e-4
"""Of the largest variance along an axis: smaller ones count as this, so that rounding is not blown up."""
COMPANY = 3
"""Generated pictures beside each that the discriminator judges."""
NETWORK = "lite0"
"""Feature network of the Frechet distances; needs no download."""


class Domain:
    """Where the codes of a generator lie: one normal distribution a layer, after the leaky ReLU is undone."""

    def __init__(self, generator: Generator) -> None:
        ws = sampled_codes(generator, NUM_CODES)[1].double().cpu()  # [N, L, D]
        same = [bool(torch.equal(ws[:, layer], ws[:, 0])) for layer in range(ws.shape[1])]
        fitted = {layer: self._fit(ws[:, layer]) for layer in range(ws.shape[1]) if layer == 0 or not same[layer]}
        self._layers = [fitted[0 if is_same else layer] for layer, is_same in enumerate(same)]

    @staticmethod
    def _fit(w: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean [D] and whitening [D, D] of codes [N, D]."""
        x = F.leaky_relu(w, SLOPE)
        values, vectors = torch.linalg.eigh(torch.cov(x.T))
        return x.mean(0), vectors / values.clamp_min(LEAST_VARIANCE * values[-1]).sqrt()

    def distance(self, ws: Tensor) -> np.ndarray:
        """Return how far codes [N, num_ws, w_dim] are from the mean: [N], about 1 for sampled ones.

        In deviations an axis: the mean over layers of the root of the mean squared whitened coordinate.
        """
        x = F.leaky_relu(ws.double(), SLOPE)
        rows = [
            ((x[:, layer] - mean) @ whiten).square().mean(1).sqrt() for layer, (mean, whiten) in enumerate(self._layers)
        ]
        return torch.stack(rows, 1).mean(1).numpy()


def spread(ws: Tensor) -> np.ndarray:
    """Return the root mean squared distance of the layers' w from their mean: [N]; 0 where all layers have one w."""
    return (ws - ws.mean(1, keepdim=True)).square().mean((1, 2)).sqrt().numpy()


@torch.no_grad()
def self_consistency(bench: Bench, ws: Tensor, batch: int) -> np.ndarray | None:
    """Return the mean squared distance of codes from those the judge finds for their pictures: [N]."""
    if bench.judge is None:
        return None
    found = []
    for part in ws.split(batch):
        part = part.to(bench.generator.w_avg)
        again = bench.judge.encode(bench.generator.synthesis(part).clamp(-1, 1), bench.generator)
        found.append((part - again).square().mean((1, 2)).cpu())
    return torch.cat(found).numpy()


@torch.no_grad()
def realness(bench: Bench, images: Tensor) -> np.ndarray | None:
    """Return the logit [N] of the generator's own discriminator; None without one.

    Each picture is shown together with the same three generated ones, which fill its group of the minibatch deviation.
    """
    if bench.discriminator is None:
        return None
    company = bench.sets["made"][:COMPANY].to(bench.generator.w_avg)
    shown = (torch.cat([image[None].to(company), company]) for image in images)
    return torch.stack([bench.discriminator(group)[0].flatten()[0].cpu() for group in shown]).numpy()


def features(network: FeatureNetwork, images: Tensor, batch: int) -> np.ndarray:
    """Return the pooled features [N, D] float64 of pictures [N, C, H, W] in [-1, 1], as bytes hold them."""
    pixels = to_rgb_bytes(as_bytes(images))
    return torch.cat([network(part)["pool"].double().cpu() for part in pixels.split(batch)]).numpy()


def as_bytes(images: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] in [-1, 1] as uint8."""
    return torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class Shown:
    """Pictures in memory, for metrics of the engine; see `metrics.engine.sources.PictureSource`."""

    name: str
    images: Tensor
    """[N, C, H, W] uint8."""
    seed: int = 0

    @property
    def resolution(self) -> Resolution:
        return self.images.shape[2], self.images.shape[3]

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def size(self) -> int:
        return len(self.images)

    def pictures(self, indices: Sequence[int]) -> Tensor:
        return self.images[[index % len(self.images) for index in indices]]

    def identity(self, count: int) -> None:
        return None


def sliced_wasserstein(images: Tensor, wanted: Tensor) -> float:
    """Return ProGAN's sliced Wasserstein distance of two sets of pictures [N, C, H, W], averaged over levels, x 1e3."""
    sets = Shown("reconstructions", as_bytes(images)), Shown("pictures", as_bytes(wanted))
    (result,) = runner.evaluate(["swd"], *sets, num=len(wanted), networks=Networks())
    return float(result.value)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Frechet distance of two sets of features [N, D] and [M, D], fast where N, M < D.

    The trace of (S1 S2)^(1/2) is the sum of the singular values of A B^T / sqrt((N - 1) (M - 1)), A and B centred.
    """
    mean_a, mean_b = a.mean(0), b.mean(0)
    rows_a, rows_b = (a - mean_a) / np.sqrt(len(a) - 1), (b - mean_b) / np.sqrt(len(b) - 1)
    shared = np.linalg.svd(rows_a @ rows_b.T, compute_uv=False).sum()
    trace = np.square(rows_a).sum() + np.square(rows_b).sum() - 2 * shared
    return float(np.square(mean_a - mean_b).sum() + trace)


def midpoints(bench: Bench, ws: Tensor, batch: int) -> Tensor:
    """Return the pictures [N, C, H, W] half way between each code and that half the set further on."""
    halfway = (ws + ws.roll(max(len(ws) // 2, 1), 0)) / 2
    drawn = pictures(bench.generator, halfway.to(bench.generator.w_avg), batch)
    return torch.cat([images.clamp(-1, 1).cpu() for images in drawn])
