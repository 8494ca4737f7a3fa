"""SeFa: eigenvectors of planted weights, and of the style weights of every room."""

from __future__ import annotations

import pytest
import torch

from inversion.conftest import LinearGenerator, room_generator
from limner.editing import sefa
from limner.editing.engine.styles import style_layers
from limner.errors import ConfigError


def test_the_factors_of_a_planted_matrix_are_its_axes() -> None:
    """Rows of unit length along known axes, 9, 4 and 1 of them: eigenvalues 9, 4, 1 and the axes themselves."""
    axes, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double())
    scale = torch.rand(14, 1, generator=torch.Generator().manual_seed(1)) * 5 + 0.1
    weight = scale * torch.cat([axes[0].expand(9, 3), axes[1].expand(4, 3), axes[2].expand(1, 3)])
    values, vectors = sefa.factorise(weight)
    assert torch.allclose(values, torch.tensor([9.0, 4.0, 1.0]), atol=1e-5)
    assert torch.allclose((vectors.double() * axes).sum(1).abs(), torch.ones(3).double(), atol=1e-6)
    assert (vectors.gather(1, vectors.abs().argmax(1, keepdim=True)) > 0).all()


@pytest.mark.parametrize(("room", "layers"), [("stylegan2", (1, 2)), ("stylegan", None), ("progan", None)])
def test_directions_are_orthonormal_sorted_and_eigenvectors(room: str, layers: tuple[int, ...] | None) -> None:
    generator = room_generator(room)
    found = sefa.Edit(count=6, layers=layers).fit(generator).directions_
    chosen = [s.module.weight for s in style_layers(generator) if layers is None or s.layer in layers]
    rows = torch.cat(chosen) / torch.cat(chosen).norm(dim=1, keepdim=True)
    vectors = torch.stack([way.vector for way in found]).double()
    values = torch.tensor([way.numbers["eigenvalue"] for way in found]).double()
    assert torch.allclose(vectors @ vectors.T, torch.eye(len(found)).double(), atol=1e-5)
    assert torch.allclose(vectors @ rows.T @ rows, values[:, None] * vectors, atol=1e-3)
    assert values.tolist() == sorted(values.tolist(), reverse=True)
    assert all(way.layers == layers and way.space == "w" and way.deviation > 0 for way in found)


def test_layers_no_style_reads_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no style layer reads layers \[99\]"):
        sefa.Edit(layers=[99]).fit(room_generator("stylegan2"))


def test_a_network_without_style_layers_is_refused(linear: LinearGenerator) -> None:
    with pytest.raises(ConfigError, match="no style layer reads"):
        sefa.Edit().fit(linear)
