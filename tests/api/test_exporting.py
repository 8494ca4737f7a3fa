"""Graphs of generators give the pictures the generators give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import write_run
from limner import registry
from limner.api import load
from limner.api.conversion import convert
from limner.api.exporting import export
from limner.checkpoints.io import save_network
from limner.config import RunConfig, with_changes
from limner.errors import ConfigError, MissingExtraError
from limner.papers.base import PresetRequest

EXACT = 1e-4
"""Largest difference of pictures, whose range is about -1 to 1."""


def tiny(room: str, **changes: Any) -> RunConfig:
    """The settings of a run of a room at 8 pixels."""
    config: RunConfig = (
        registry.get("papers", room)
        .PRESETS[f"{room}-tiny"]
        .build(PresetRequest(resolution=(8, 8), batch=4, c_dim=changes.pop("c_dim", 0)))
    )
    width = {"generator.channel_max": 8, "discriminator.channel_max": 8, "generator.z_dim": 16, "data.path": "x"}
    return with_changes(config, {**width, **changes})


@pytest.fixture(scope="module", params=["progan", "stylegan", "stylegan2"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with random weights of every room that makes pictures."""
    return write_run(tmp_path_factory.mktemp("run") / request.param, tiny(request.param))


@pytest.fixture
def conditional(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", tiny("stylegan2", c_dim=3))


def expected(run: Path, z: torch.Tensor, psi: float, c: torch.Tensor | None = None) -> torch.Tensor:
    generator = load(run, "cpu")
    return generator.synthesis(generator.mapping(z, c, truncation_psi=psi))


def test_a_program_of_torch_takes_any_batch_and_psi(run: Path, tmp_path: Path) -> None:
    exported = export(run, tmp_path / "x.pt2", "torch-export")
    assert exported.paths == (tmp_path / "x.pt2",)
    assert exported.difference is not None
    assert exported.difference < EXACT
    files = {"limner.json": ""}
    program = torch.export.load(tmp_path / "x.pt2", extra_files=files).module()
    assert run.name in files["limner.json"]
    for batch, psi in ((1, 1.0), (3, 0.5)):
        z = torch.randn(batch, 16, generator=torch.Generator().manual_seed(batch))
        torch.testing.assert_close(program(z, torch.tensor(psi)), expected(run, z, psi), atol=EXACT, rtol=0)


def test_a_graph_of_onnx_gives_the_pictures_of_torch(run: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    exported = export(run, tmp_path / "x.onnx", "onnx")
    assert exported.difference is not None
    assert exported.difference < EXACT
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("z", ["batch", 16]), ("truncation_psi", [])]
    assert session.get_outputs()[0].name == "images"
    assert session.get_modelmeta().custom_metadata_map["room"] == run.name
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    (images,) = session.run(None, {"z": z.numpy(), "truncation_psi": np.array(0.5, np.float32)})
    torch.testing.assert_close(torch.from_numpy(images), expected(run, z, 0.5), atol=EXACT, rtol=0)


def test_mapping_and_synthesis_are_two_graphs_in_a_folder(conditional: Path, tmp_path: Path) -> None:
    exported = export(conditional, tmp_path / "graphs", "torch-export")
    assert [path.name for path in exported.paths] == ["mapping.pt2", "synthesis.pt2"]
    mapping, synthesis = (torch.export.load(path).module() for path in exported.paths)
    z, c = torch.randn(4, 16, generator=torch.Generator().manual_seed(0)), torch.eye(3)[[0, 1, 2, 0]]
    ws = mapping(z, torch.tensor(0.7), c)
    assert ws.shape == (4, 4, load(conditional, "cpu").w_dim)
    torch.testing.assert_close(synthesis(ws), expected(conditional, z, 0.7, c), atol=EXACT, rtol=0)


def test_a_fixed_batch_is_the_only_one_taken(conditional: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    exported = export(conditional, tmp_path / "x.onnx", "onnx", batch=3)
    assert exported.difference is not None
    assert exported.difference < EXACT
    inputs = onnxruntime.InferenceSession(tmp_path / "x.onnx").get_inputs()
    assert [(i.name, i.shape) for i in inputs] == [("z", [3, 16]), ("truncation_psi", []), ("c", [3, 3])]


def test_a_feature_map_without_variance_stays_finite(tmp_path: Path) -> None:
    """A fresh StyleGAN normalises a constant: only the 1e-8 beside the variance keeps that from being 0 / 0."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    config = tiny("stylegan")
    folder = write_run(tmp_path / "run", config)
    fresh = registry.get("papers", "stylegan").Generator(config.generator)
    save_network(folder / "snapshots" / "000002", "generator_ema", fresh, "stylegan")
    export(folder, tmp_path / "x.onnx", "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    (images,) = session.run(None, {"z": np.zeros((1, 16), np.float32), "truncation_psi": np.array(1, np.float32)})
    assert np.isfinite(images).all()


def test_without_onnxruntime_a_graph_is_written_and_not_compared(
    conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    converted = convert(conditional, tmp_path / "x.onnx", to="onnx")
    assert (tmp_path / "x.onnx").is_file()
    assert converted.notes == ("not compared with torch: onnxruntime is not installed (pip install 'limner[export]')",)


def test_an_absent_extra_is_named(conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'limner\[export\]'"):
        export(conditional, tmp_path / "x.onnx", "onnx")


def test_places_and_batches_that_cannot_be_are_refused_before_any_work(conditional: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a name ending in \.pt2 for one graph, or a folder for two"):
        export(conditional, tmp_path / "x.onnx", "torch-export")
    with pytest.raises(ConfigError, match="is there already"):
        export(conditional, tmp_path, "torch-export")
    with pytest.raises(ConfigError, match="batch: got 0, expected at least 1"):
        export(conditional, tmp_path / "x.pt2", "torch-export", batch=0)
    with pytest.raises(ConfigError, match="only graphs have one"):
        convert(conditional, tmp_path / "x.pkl", to="nvidia", batch=2)
