"""Independent libraries as oracles, imported without what they would drag along (torchvision above all)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from features.plain import Oracle, vgg16_layers


def _unit_length(x: Tensor, eps: float = 1e-10) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + eps)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    """Import a module of a package without running the package's own `__init__`; skips when it is not installed."""
    before = set(sys.modules)

    def module(package: str, name: str) -> ModuleType:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            pytest.skip(f"the independent library {package} is not installed")
        bare = ModuleType(package)
        bare.__path__ = list(spec.submodule_search_locations)
        bare.normalize_tensor = _unit_length  # type: ignore[attr-defined]  # lpips keeps it in its __init__
        monkeypatch.setitem(sys.modules, package, bare)
        for absent, attributes in (
            ("torchvision", {"models": ModuleType("torchvision.models")}),
            ("IPython", {"embed": None}),
            ("torchsummary", {"summary": None}),
        ):
            fake = ModuleType(absent)
            fake.__dict__.update(attributes)
            monkeypatch.setitem(sys.modules, absent, fake)
        vgg16 = ModuleType("vgg16")
        vgg16.features = vgg16_layers()  # type: ignore[attr-defined]
        sys.modules["torchvision"].models.vgg16 = lambda pretrained: vgg16
        return importlib.import_module(f"{package}.{name}")

    yield module
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("torch_fidelity", "lpips", "stlpips_pytorch"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def photograph() -> Tensor:
    """A portrait of Rear Admiral Grace Hopper in uniform, [1, 3, 600, 512] bytes, which comes with matplotlib."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None]
