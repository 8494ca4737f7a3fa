"""What a study opens, and what it refuses before it computes anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from api.study.conftest import Make
from conftest import write_pictures
from limner.api.study.bench import Bench, open_bench
from limner.errors import ConfigError


def test_pictures_labels_and_networks_are_there(bench: Bench) -> None:
    assert bench.sets["held-out"].shape == (12, 3, 16, 16)
    assert {name: len(images) for name, images in bench.sets.items()} == {"held-out": 12, "outside": 6, "made": 6}
    assert bench.attributes == ("Bright", "Red", "Striped")
    assert bench.labels is not None
    assert bench.labels.shape == (12, 3)
    assert bench.discriminator is not None
    assert bench.digests["guided"] != bench.digests["conventional"]
    assert torch.allclose(bench.generator.synthesis(bench.made_ws[:1]).clamp(-1, 1), bench.sets["made"][:1], atol=1e-5)


def test_pictures_leave_the_domain_upside_down_negative_and_with_halves_exchanged(bench: Bench) -> None:
    held, outside = bench.sets["held-out"], bench.sets["outside"]
    assert torch.equal(outside[0], held[0].flip(1))
    assert torch.equal(outside[1], -held[1])
    assert torch.equal(outside[2][:, 8:, 8:], held[2][:, :8, :8])
    assert torch.equal(outside[3], held[3].flip(1))


def test_pictures_of_ones_own_may_be_the_outside(make: Make, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "others", 7)
    bench = open_bench(make(outside=folder, train_data=folder), "cpu")
    assert torch.equal(bench.sets["outside"], bench.sets["train"])


def test_too_few_pictures_a_conditional_generator_and_foreign_attributes_are_refused(
    make: Make, conditional_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="has 24 pictures, expected at least 25; ask for fewer"):
        open_bench(make(num=25), "cpu")
    with pytest.raises(ConfigError, match="got a conditional generator"):
        open_bench(make(checkpoint=conditional_run), "cpu")
    plain = write_pictures(tmp_path / "plain", 12)
    with pytest.raises(ConfigError, match="is labelled with nothing, expected attributes of the classifier: Bright"):
        open_bench(make(data=plain), "cpu")
    assert open_bench(make(data=plain, classifier=None), "cpu").labels is None
