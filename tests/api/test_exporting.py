"""Graphs of generators give the pictures the generators give."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conftest import write_run
from limner import registry
from limner.api import exporting, load
from limner.api.conversion import convert
from limner.api.exporting import export
from limner.config import RunConfig, with_changes
from limner.errors import ConfigError, MissingExtraError
from limner.ops.normalize import instance_norm
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


def test_mapping_and_synthesis_are_two_programs_in_a_folder(conditional: Path, tmp_path: Path) -> None:
    exported = export(conditional, tmp_path / "graphs", "torch-export")
    assert exported.difference is not None
    assert exported.difference < EXACT
    assert [path.name for path in exported.paths] == ["mapping.pt2", "synthesis.pt2"]
    files = {"limner.json": ""}
    mapping, synthesis = (torch.export.load(path, extra_files=files).module() for path in exported.paths)
    assert json.loads(files["limner.json"])["room"] == "stylegan2"
    for batch, psi in ((1, 1.0), (4, 0.5)):
        z, c = torch.randn(batch, 16, generator=torch.Generator().manual_seed(0)), torch.eye(3)[[0, 1, 2, 0]][:batch]
        ws = mapping(z, torch.tensor(psi), c)
        assert ws.shape == (batch, 4, load(conditional, "cpu").w_dim)
        torch.testing.assert_close(synthesis(ws), expected(conditional, z, psi, c), atol=EXACT, rtol=0)


def test_a_fixed_batch_is_the_only_one_taken(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tiny("progan"))
    exported = export(run, tmp_path / "x.pt2", "torch-export", batch=3)
    assert exported.difference is not None
    assert exported.difference < EXACT
    program, z = torch.export.load(tmp_path / "x.pt2").module(), torch.zeros(3, 16)
    assert program(z, torch.tensor(1.0)).shape == (3, 3, 8, 8)
    with pytest.raises(AssertionError, match="3"):
        program(z[:2], torch.tensor(1.0))


def norm() -> exporting._Part:
    """A part that normalises feature maps and does nothing else."""

    class Norm(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return instance_norm(x)

    return exporting._Part(module=Norm(), inputs=("x",), output="y")


def test_a_feature_map_without_variance_stays_finite() -> None:
    """Only the 1e-8 beside the variance keeps a constant from 0 / 0, and optimisers of graphs like to drop it."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    constant = torch.ones(1, 2, 4, 4)
    with exporting._quiet():
        _, run = exporting._onnx_file(norm(), (constant,), {}, is_fixed=True)
    assert run is not None
    assert torch.equal(run((constant,)), torch.zeros(1, 2, 4, 4))


def test_without_onnxruntime_a_graph_is_written_and_not_compared(
    conditional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(exporting, "_inputs", lambda *_, **__: (torch.ones(2, 2, 4, 4),))
    monkeypatch.setattr(exporting, "_parts", lambda *_: {tmp_path / "x.onnx": norm()})
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
