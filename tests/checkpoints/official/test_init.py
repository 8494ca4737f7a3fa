"""Files told apart by what is in them, and refusals that say why."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from checkpoints.official.foreign_files import persistent, write_persistent, write_tensorflow, write_torch
from limner.checkpoints import official
from limner.errors import CheckpointError

T = torch.zeros(1)
STATE_DICTS = {
    ("rosinality", "stylegan2", ("g_ema",)): {"g_ema": {"input.input": T, "conv1.conv.weight": T}},
    ("rosinality", "stylegan2", ("d",)): {"final_linear.1.weight": T, "convs.0.0.weight": T},
    ("rosinality", "stylegan", ("g_running",)): {"generator.progression.0.conv1.input": T},
    ("rosinality", "stylegan", ("g_running", "generator")): {
        "generator": {"generator.progression.0.conv1.input": T},
        "g_running": {"generator.progression.0.conv1.input": T},
        "g_optimizer": {"state": {}},
    },
    ("genforce", "stylegan2", ("generator_smooth", "generator")): {
        "generator": {"module.synthesis.early_layer.const": T},
        "generator_smooth": {"synthesis.early_layer.const": T},
    },
    ("genforce", "stylegan", ("generator_smooth",)): {"synthesis.layer0.const": T, "mapping.dense0.weight": T},
    ("genforce", "progan", ("generator_smooth",)): {"layer0.weight": T, "output0.weight": T},
    ("idinvert", "stylegan", ("generator",)): {"mapping.dense0.fc.weight": T, "synthesis.layer0.const": T},
    ("idinvert", "idinvert", ("encoder",)): {"block0.conv.weight": T, "block1.conv1.weight": T},
}


@pytest.mark.parametrize("expected", STATE_DICTS, ids=str)
def test_files_of_torch_are_told_by_the_names_of_their_tensors(tmp_path: Path, expected: Any) -> None:
    kind = official.identify(write_torch(tmp_path / "x.pth", STATE_DICTS[expected]))
    assert (kind.layout, kind.room, kind.networks) == expected


@pytest.mark.parametrize(
    ("room", "count", "name"),
    [
        ("stylegan2", 3, "synthesis/4x4/Conv/mod_weight"),
        ("stylegan", 3, "synthesis/4x4/Const/StyleMod/weight"),
        ("progan", 3, "4x4/Dense/weight"),
        ("stylegan", 4, "synthesis/4x4/Const/StyleMod/weight"),
    ],
)
def test_files_of_tensorflow_are_told_by_their_variables(tmp_path: Path, room: str, count: int, name: str) -> None:
    networks = {f"network{i}": {name: np.zeros(1, np.float32)} for i in range(count)}
    kind = official.identify(write_tensorflow(tmp_path / "x.pkl", networks))
    assert (kind.layout, kind.room, len(kind.networks)) == ("nvidia-tensorflow", room, count)
    assert str(kind).startswith(f"{room} of NVIDIA, TensorFlow (")


def test_stylegan3_is_refused_with_a_reason(tmp_path: Path) -> None:
    tensors = {"synthesis.input.weight": T, "synthesis.input.freqs": T, "mapping.w_avg": T}
    path = write_persistent(tmp_path / "x.pkl", {"G_ema": persistent("Generator", tensors)})
    with pytest.raises(CheckpointError, match="holds a StyleGAN3 generator"):
        official.identify(path)


def test_another_persistent_network_is_refused_by_its_class(tmp_path: Path) -> None:
    path = write_persistent(tmp_path / "x.pkl", {"G_ema": persistent("Upsampler", {"main.weight": T})})
    with pytest.raises(CheckpointError, match="holds a generator of class 'Upsampler'"):
        official.identify(path)


def test_lucidrains_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "model_3.pt", {"GAN": {"S.net.0.weight": T}, "version": "1.9.0"})
    with pytest.raises(CheckpointError, match="lucidrains' stylegan2_pytorch, whose networks are not StyleGAN2's"):
        official.identify(path)


@pytest.mark.parametrize("value", [3, [], (), {}, {"state_dict": {"layer.weight": 1}}, [1, 2, 3], {"GAN2": None}])
def test_a_file_of_an_unknown_program_is_refused(tmp_path: Path, value: Any) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=4))
    with pytest.raises(CheckpointError, match="is not a checkpoint limner knows"):
        official.identify(tmp_path / "x.pkl")


def test_a_room_without_a_conversion_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official.registry, "names", lambda kind: ("stylegan2",))
    path = write_torch(tmp_path / "x.pth", {"layer0.weight": T, "output0.weight": T})
    with pytest.raises(CheckpointError, match="networks of progan by genforce, which this limner does not convert yet"):
        official.convert(path)


def test_the_record_names_the_file_its_checksum_and_a_licence(tmp_path: Path) -> None:
    from papers.stylegan2.published_maps_community import rosinality_generator

    path = write_torch(tmp_path / "x.pt", {"g_ema": rosinality_generator(0), "latent_avg": torch.zeros(7)})
    record = official.convert(path).record
    assert record["source"]["file"] == "x.pt"
    assert record["source"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "non-commercial" in record["licence"]
