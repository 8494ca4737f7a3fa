"""The pickle for NVIDIA's programs, read by Python's own pickle; the .pt for rosinality, read by torch."""

from __future__ import annotations

import pickle
import pickletools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from checkpoints.official.foreign_files import nvidia_names
from limner.checkpoints.official.writing import write_nvidia, write_rosinality
from limner.errors import CheckpointError

VARIABLES = {
    "dlatent_avg": torch.arange(3.0),
    "mapping/Dense0/weight": torch.arange(6.0).view(2, 3).t(),
    "synthesis/4x4/Conv/noise_strength": torch.tensor(0.5),
    "synthesis/4x4/Conv/mod_bias": torch.tensor([0.1], dtype=torch.float64),
}
SETTINGS = {
    "resolution": 16,
    "mapping_lrmul": 0.01,
    "architecture": "skip",
    "use_noise": False,
    "resample_kernel": [1, 3],
}


def written(path: Path) -> Path:
    networks = {
        name: {"name": name, "settings": SETTINGS, "variables": {"x": torch.zeros(2, 0)} if name == "D" else VARIABLES}
        for name in ("G", "D", "Gs")
    }
    write_nvidia(path, networks)
    return path


def test_python_s_pickle_reads_three_networks_with_components_and_arrays(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pkl")
    with nvidia_names():
        loaded = pickle.loads(path.read_bytes())
        assert all(type(network) is sys.modules["dnnlib.tflib.network"].Network for network in loaded)
    G, D, Gs = loaded
    assert (G.name, D.name, Gs.name, G.version, G.build_module_src) == ("G", "D", "Gs", 4, "")
    assert G.static_kwargs == SETTINGS
    assert set(G.components) == {"mapping", "synthesis"}
    assert [name for name, _ in G.variables] == ["dlatent_avg"]
    ((name, weight),) = G.components["mapping"].variables
    assert (name, weight.dtype) == ("Dense0/weight", np.float32)
    np.testing.assert_array_equal(weight, [[0, 3], [1, 4], [2, 5]])
    strength, bias = (array for _, array in G.components["synthesis"].variables)
    assert (strength.shape, float(strength), bias.dtype) == ((), 0.5, np.float64)
    assert D.variables[0][1].shape == (2, 0)


def test_the_pickle_names_numpy_and_one_class_and_nothing_else(tmp_path: Path) -> None:
    opcodes = list(pickletools.genops(written(tmp_path / "x.pkl").read_bytes()))
    names = {argument for opcode, argument, _ in opcodes if opcode.name in ("GLOBAL", "STACK_GLOBAL", "INST")}
    assert names == {
        "dnnlib.tflib.network Network",
        "numpy dtype",
        "numpy ndarray",
        "numpy.core.multiarray _reconstruct",
    }


def test_torch_reads_the_file_for_rosinality_without_trusting_it(tmp_path: Path) -> None:
    write_rosinality(tmp_path / "x.pt", {"g_ema": {"a": torch.ones(2)}, "latent_avg": torch.zeros(3)})
    assert torch.load(tmp_path / "x.pt", weights_only=True)["g_ema"]["a"].tolist() == [1, 1]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        written(tmp_path / "file" / "x.pkl")
    with pytest.raises(CheckpointError, match="cannot write"):
        write_rosinality(tmp_path / "file" / "x.pt", {})
