"""What every network of the folder has in common."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.hub

from features.plain import pictures
from limner import features
from limner.errors import WeightsError
from limner.features import weights
from limner.features.base import FeatureNetwork, PerceptualNetwork

MACHINERY = {"base", "download", "graph", "resize", "vit", "weights"}
NETWORKS = sorted({module.name for module in pkgutil.iter_modules(features.__path__)} - MACHINERY)
LIGHT = ("inception", "lite0", "lpips", "stlpips")
"""Networks whose random weights take less than 100 MB."""


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"limner.features.{name}")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_loads_by_keyword_and_names_the_file_it_misses(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_name: str) -> None:
        raise PackageNotFoundError

    for variable in ("XDG_CACHE_HOME", "LIMNER_WEIGHTS", "TORCH_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(weights, "distribution", absent)
    load = module_of(name).load
    assert set(inspect.signature(load).parameters) == {"weights", "device"}
    with pytest.raises(WeightsError, match=r"found no \S+ .* sha256 [0-9a-f]{64}\) at .* run .*; without it, "):
        load(weights=None, device="cpu")


@pytest.mark.parametrize("name", LIGHT)
def test_random_weights_follow_the_seed_and_the_network_is_frozen(name: str) -> None:
    first, again, other = (module_of(name).random(seed) for seed in (1, 1, 2))
    images = pictures(1, 24, 32)
    if isinstance(first, FeatureNetwork):
        values = [next(iter(network(images).values())) for network in (first, again, other)]
        assert set(first(images)) == set(first.dims)
        assert first.resize
    else:
        assert isinstance(first, PerceptualNetwork)
        values = [network.features(images / 127.5 - 1)[-1] for network in (first, again, other)]
    assert torch.equal(values[0], values[1])
    assert not torch.allclose(values[0], values[2])
    assert first.sha256 == "random"
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
