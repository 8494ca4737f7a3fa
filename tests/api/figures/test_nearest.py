"""The nearest training pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from conftest import write_pictures
from limner.api.figures import nearest
from limner.data import open_dataset


@pytest.mark.parametrize("chunk", [3, 5, 256])
def test_a_planted_picture_is_found_at_distance_0(
    context: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(nearest, "CHUNK", chunk)
    G = network("stylegan2-tiny")
    folder = write_pictures(tmp_path / "photos", 12)
    (planted,) = G.sample([4])
    planted.save(folder / "007a.png")
    asked = context(G, dataset=open_dataset(folder))
    assert nearest.draw(asked) == [asked.out / "nearest.png"]
    cells, captions = asked.tables["nearest"]
    assert captions["rows"] == ["generated", "nearest 1", "nearest 2", "nearest 3", "nearest 4"]
    assert captions["captions"][0] == ["seed 3", "seed 4", "seed 5", "seed 6", "seed 7", "seed 8"]
    assert np.array_equal(pixels(cells[1][1]), pixels(planted))
    assert float(captions["captions"][1][1].removeprefix("distance ")) <= 1
    assert float(captions["captions"][1][0].removeprefix("distance ")) > 20


def test_distances_are_those_of_all_pairs_sorted(tmp_path: Path) -> None:
    dataset = open_dataset(write_pictures(tmp_path / "photos", 9))
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    distances, indices = nearest.nearest(images, dataset)
    reals = np.stack([dataset.image(i) for i in range(9)]).astype(float)
    levels = (images.numpy() + 1) * 127.5
    expected = np.sqrt(((levels[:, None] - reals[None]) ** 2).mean(axis=(2, 3, 4)))
    assert np.allclose(distances.numpy(), np.sort(expected)[:, :4], atol=1e-3)
    assert indices.tolist() == np.argsort(expected)[:, :4].tolist()


def test_fewer_pictures_than_places_are_all_shown(context: Contexts, tmp_path: Path) -> None:
    asked = context(network("progan-tiny"), dataset=open_dataset(write_pictures(tmp_path / "photos", 2)))
    nearest.draw(asked)
    assert len(asked.tables["nearest"][0]) == 3


def test_large_pictures_are_compared_at_32_pixels() -> None:
    blocks = torch.rand(2, 3, 32, 24)
    large = blocks.repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert torch.allclose(nearest.reduced(large), blocks.flatten(1), atol=1e-6)
    assert nearest.reduced(blocks).shape == (2, 3 * 32 * 24)
    assert nearest.reduced(torch.rand(1, 1, 66, 66)).shape == (1, 33 * 33)


def test_without_pictures_it_says_what_it_needs(context: Contexts) -> None:
    assert nearest.draw(context(network("progan-tiny"))) == (
        "it needs the training pictures; give them as data (--data)"
    )
