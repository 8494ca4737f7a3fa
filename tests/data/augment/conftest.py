"""Sources of random numbers for the augmentation tests."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


class SeededDraws:
    """Numbers for `total` pictures, of which a share is handed out; `asked` records every request."""

    def __init__(self, total: int, share: slice = slice(None), seed: int = 0, device: str = "cpu") -> None:
        self.total, self.share, self.device = total, share, device
        self.generator = torch.Generator().manual_seed(seed)
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    def rand(self, *shape: int) -> Tensor:
        self.asked.append(("rand", shape))
        return torch.rand(self.total, *shape, generator=self.generator)[self.share].to(self.device)

    def randn(self, *shape: int) -> Tensor:
        self.asked.append(("randn", shape))
        return torch.randn(self.total, *shape, generator=self.generator)[self.share].to(self.device)


class ScriptedDraws:
    """Hands out the given rows, the same for every picture, in the order they are asked for."""

    def __init__(self, count: int, *rows: list[float]) -> None:
        self.count, self.rows = count, list(rows)

    def rand(self, *shape: int) -> Tensor:
        row = torch.tensor(self.rows.pop(0))
        assert row.shape == shape
        return row.expand(self.count, *shape)

    randn = rand


@pytest.fixture
def seeded() -> Callable[..., SeededDraws]:
    return SeededDraws


@pytest.fixture
def scripted() -> Callable[..., ScriptedDraws]:
    return ScriptedDraws


@pytest.fixture
def pictures() -> Callable[..., Tensor]:
    """Make pictures [N, C, H, W] of smooth waves in [-1, 1], different in every picture, channel and place."""

    def make(count: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
        y = torch.linspace(0, 1, height, dtype=dtype)[:, None]
        x = torch.linspace(0, 1, width, dtype=dtype)
        index = torch.arange(count * channels, dtype=dtype).view(count, channels, 1, 1)
        return 0.6 * torch.sin(3 * x + 5 * y + index) + 0.4 * torch.cos((4 + index % 3) * x - 2 * y)

    return make
