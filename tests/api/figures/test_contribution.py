"""What each resolution adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from api.figures.conftest import Contexts, network, pixels
from conftest import tiny_config, write_run
from limner.api.figures import contribution
from limner.api.generation import load


def test_the_parts_sum_to_the_picture(context: Contexts) -> None:
    G = network("stylegan2-tiny", 32)
    ws = context(G).ws(3)
    parts = contribution.parts(G, ws)
    assert [part.shape for part in parts] == [(1, 3, 32, 32)] * 4
    assert torch.allclose(sum(parts), G.synthesis(ws), atol=1e-5)


def test_a_silent_resolution_has_no_share(context: Contexts) -> None:
    G = network("stylegan2-tiny")
    torgb = G.get_submodule("synthesis_network.b8.torgb")
    for name in ("weight", "bias"):
        torgb.get_parameter(name).data.zero_()
    asked = context(G)
    sheet, numbers = contribution.draw(asked)
    assert sheet == asked.out / "contribution.png"
    header, *rows = (line.split(",") for line in numbers.read_text().splitlines())
    assert header == ["resolution", "share"]
    assert [side for side, _ in rows] == ["4", "8", "16"]
    shares = [float(share) for _, share in rows]
    assert shares[1] == pytest.approx(0, abs=1e-9)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    cells, captions = asked.tables["contribution"]
    assert captions["columns"][0] == "picture"
    assert captions["columns"][2] == "8 px\n0.0%"
    assert len(np.unique(pixels(cells[0][2]))) == 1


def test_deviations_are_root_mean_squares_over_pictures_and_channels(context: Contexts) -> None:
    G = network("stylegan2-tiny")
    codes = [context(G).ws(seed) for seed in (1, 2)]
    images = [torch.stack([contribution.parts(G, ws)[level][0] for ws in codes]) for level in range(3)]
    expected = [image.flatten(2).numpy().var(axis=2).mean() ** 0.5 for image in images]
    assert contribution.deviations(G, codes) == pytest.approx(expected, rel=1e-4)
    assert contribution.shares_of([1.0, 3.0]) == [0.25, 0.75]
    assert contribution.shares_of([0.0, 0.0]) == [0, 0]


@pytest.mark.parametrize("preset", ["progan-tiny", "stylegan-tiny", "stylegan2-config-d"])
def test_a_growing_network_shows_every_level_in_use(context: Contexts, preset: str) -> None:
    G = network(preset, 32)
    G.lod = 0.5
    asked = context(G)
    assert contribution.draw(asked) == [asked.out / "contribution.png"]
    cells, captions = asked.tables["contribution"]
    assert captions["columns"] == ["4 px", "8 px", "16 px"]
    assert [[text.startswith("std ") for text in row] for row in captions["captions"]] == [[True] * 3] * 4
    coarse = pixels(cells[0][0])
    assert np.array_equal(coarse, np.kron(coarse[::8, ::8], np.ones((8, 8, 1), int)))


@pytest.mark.parametrize("architecture", ["orig", "resnet"])
def test_a_single_torgb_is_told(context: Contexts, architecture: str) -> None:
    reason = contribution.draw(context(network("stylegan2-tiny", architecture=architecture)))
    assert reason == "this generator has a single toRGB, at full resolution, so no other resolution adds to the picture"


def test_a_run_with_several_snapshots_gets_a_chart(context: Contexts, tmp_path: Path) -> None:
    config = tiny_config("faces.zip")
    run = write_run(tmp_path / "run", config, kimg=2)
    asked = context(load(run), run_dir=run)
    assert [path.name for path in contribution.draw(asked)] == ["contribution.png", "contribution.csv"]
    write_run(run, config, kimg=4)
    paths = contribution.draw(asked)
    assert paths[-1] == asked.out / "contribution-run.png"
    assert paths[-1].is_file()
