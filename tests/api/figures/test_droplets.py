"""Norms of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from limner.api.figures import droplets
from limner.api.figures.base import blocks

LAYERS = {
    "stylegan-tiny": ["b4.input", "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"],
    "stylegan2-tiny": ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"],
    "progan-a": ["b4.finish", "b4.conv", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"],
}


@pytest.mark.parametrize("preset", list(LAYERS))
def test_every_layer_has_a_row_and_a_number(context: Contexts, preset: str) -> None:
    asked = context(network(preset))
    sheet, numbers = droplets.draw(asked)
    assert (sheet.name, numbers.name) == ("droplets.png", "droplets.csv")
    cells, captions = asked.tables["droplets"]
    assert [row.partition("\n")[0] for row in captions["rows"]] == ["picture", *LAYERS[preset]]
    assert captions["columns"] == ["seed 3", "seed 4", "seed 5", "seed 6"]
    assert all(pixels(cell).max() == 255 for row in cells[1:] for cell in row)
    header, *rows = (line.split(",") for line in numbers.read_text().splitlines())
    assert header == ["layer", "peak_over_median"]
    assert [name for name, _ in rows] == LAYERS[preset]
    assert all(float(peak) > 1 for _, peak in rows)


def test_the_residual_path_is_no_layer() -> None:
    found = droplets.layers(blocks(network("stylegan2-tiny", architecture="resnet")))
    assert list(found) == LAYERS["stylegan2-tiny"]


def test_a_spike_in_the_features_is_found_where_it_is(context: Contexts) -> None:
    G = network("stylegan2-tiny")
    layer = droplets.layers(blocks(G))["b16.conv0"]

    def spike(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
        changed = output.clone()
        changed[:, :, 3, 12] = 1000.0
        return changed

    handle = layer.register_forward_hook(spike)
    asked = context(G)
    droplets.draw(asked)
    handle.remove()
    cells, captions = asked.tables["droplets"]
    row = next(index for index, text in enumerate(captions["rows"]) if text.startswith("b16.conv0"))
    assert float(captions["rows"][row].partition("peak ")[2]) > 100
    assert np.argwhere(pixels(cells[row][0]) > 50).tolist() == [[3, 12]]


def test_norms_and_peaks_by_hand() -> None:
    features = torch.tensor([[3.0, 0.0], [0.0, 1.0]]).expand(1, 2, 2, 2).clone()
    features[0, 1] = torch.tensor([[4.0, 0.0], [2.0, 1.0]])
    values = droplets.norms(features)
    assert torch.allclose(values, torch.tensor([[12.5, 0.0], [2.0, 1.0]]).sqrt())
    assert droplets.peak_over_median(values) == pytest.approx(12.5**0.5)  # torch's median of 4 is the second smallest
    assert droplets.peak_over_median(torch.zeros(2, 2)) == 1


def test_a_large_map_keeps_its_peak() -> None:
    values = torch.zeros(64, 64)
    values[10, 50] = 2.0
    shown = droplets.shrunk(values, 16, 16)
    assert shown.shape == (16, 16)
    assert (shown > 0).nonzero().tolist() == [[2, 12]]
    assert shown.max() == 1


def test_pixel_normalization_leaves_nothing_to_see(context: Contexts) -> None:
    reason = droplets.draw(context(network("progan-tiny")))
    assert reason == ("pixelwise normalization gives every pixel of a layer the same norm, so there is nothing to see")
