"""Measures of codes and sets of pictures: closed forms, and the metrics' own Frechet distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from limner.api.study import measures
from limner.api.study.bench import Bench
from limner.editing.engine.samples import sampled_codes
from limner.metrics.frechet import frechet_distance, root_of


@pytest.mark.parametrize(("first", "second", "length"), [(9, 9, 20), (30, 40, 6)])
def test_the_frechet_distance_is_that_of_the_metrics(first: int, second: int, length: int) -> None:
    rng = np.random.RandomState(0)
    a, b = rng.randn(first, length), rng.randn(second, length) * 2 + 1
    real = {"total": torch.from_numpy(a.sum(0)), "count": torch.tensor(first)}
    covariances = [torch.from_numpy(np.cov(x.T)) for x in (a, b)]
    expected = frechet_distance(real, root_of(covariances[0]), torch.from_numpy(b.mean(0)), covariances[1])
    assert measures.frechet(a, b) == pytest.approx(expected, rel=1e-6)
    assert measures.frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_sampled_codes_are_one_deviation_away_an_axis(bench: Bench) -> None:
    ws = sampled_codes(bench.generator, measures.NUM_CODES)[1].cpu()
    found = measures.Domain(bench.generator).distance(ws)
    assert np.sqrt(np.square(found).mean()) == pytest.approx(1, abs=0.02)
    assert measures.Domain(bench.generator).distance(ws[:5] * 10).min() > found.max()


def test_layers_of_one_w_have_no_spread() -> None:
    same = torch.randn(3, 1, 4).expand(-1, 5, -1)
    assert measures.spread(same) == pytest.approx(np.zeros(3), abs=1e-6)
    apart = torch.tensor([[[1.0, 1.0], [-1.0, -1.0]]])
    assert measures.spread(apart) == pytest.approx([1.0])


def test_a_picture_gets_its_logit_whatever_is_judged_with_it(bench: Bench) -> None:
    images = bench.sets["held-out"][:5]
    whole, one = measures.realness(bench, images), measures.realness(bench, images[2:3])
    assert whole is not None
    assert one is not None
    assert whole[2] == pytest.approx(one[0], abs=1e-5)
    assert measures.realness(replace(bench, discriminator=None), images) is None


def test_a_judge_that_knows_the_codes_finds_no_error(bench: Bench) -> None:
    ws = bench.made_ws[:3]
    assert bench.judge is not None
    answers = bench.judge.encode(bench.generator.synthesis(ws).clamp(-1, 1), bench.generator)
    found = measures.self_consistency(bench, ws, batch=2)
    assert found == pytest.approx((ws - answers).square().mean((1, 2)).detach().numpy(), rel=1e-4)
    assert measures.self_consistency(replace(bench, judge=None), ws, batch=2) is None


def test_midpoints_lie_between_a_code_and_that_half_the_set_further_on(bench: Bench) -> None:
    ws = bench.made_ws[:4]
    expected = bench.generator.synthesis((ws[0:1] + ws[2:3]) / 2).clamp(-1, 1)
    drawn = measures.midpoints(bench, ws, batch=3)
    assert torch.allclose(drawn[0:1], expected, atol=1e-5) or torch.allclose(drawn[2:3], expected, atol=1e-5)
    assert len(drawn) == 4


def test_pictures_in_memory_are_nearer_to_themselves_than_to_their_negatives(bench: Bench) -> None:
    images = bench.sets["held-out"]
    assert measures.sliced_wasserstein(-images, images) > 3 * measures.sliced_wasserstein(images, images)
