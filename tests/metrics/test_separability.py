"""Linear separability against scikit-learn's mutual information and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limner.errors import ConfigError
from limner.metrics import runner
from limner.metrics.engine.networks import Attributes, Networks
from limner.metrics.engine.sources import GeneratorPictures
from limner.metrics.separability import conditional_entropy, entropy_left

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="the SVM and an independent mutual information")


def measure(generator, attributes):
    (result,) = runner.evaluate(["ls_200"], GeneratorPictures(generator), networks=Networks(attributes=attributes))
    return result.values


def test_the_entropy_left_is_what_mutual_information_takes_from_the_entropy():
    rng = np.random.RandomState(0)
    labels = rng.rand(500) < 0.3
    sides = labels ^ (rng.rand(500) < 0.2)
    p = labels.mean()
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    expected = (entropy - sklearn_metrics.mutual_info_score(labels, sides)) / np.log(2)
    assert conditional_entropy(labels, sides) == pytest.approx(expected, rel=1e-12)


def test_knowing_the_label_leaves_nothing_and_knowing_nothing_leaves_all():
    labels = np.arange(100) % 2 == 0
    assert conditional_entropy(labels, labels) == 0.0
    assert conditional_entropy(labels, ~labels) == 0.0
    assert conditional_entropy(labels, np.zeros(100, bool)) == pytest.approx(1.0)


def test_only_the_surest_half_is_judged():
    """The logits follow the first coordinate, but the unsure half, which is left out, contradicts it."""
    rng = np.random.RandomState(0)
    latents = rng.randn(400, 3)
    sure = np.abs(latents[:, 0]) > np.median(np.abs(latents[:, 0]))
    logits = np.where(sure, 10, -0.1) * latents[:, 0]
    assert entropy_left(latents, logits) == pytest.approx(0, abs=0.02)


def test_an_attribute_without_a_plane_keeps_its_entropy():
    rng = np.random.RandomState(0)
    latents = rng.randn(2000, 2)
    assert entropy_left(latents, latents[:, 0] * latents[:, 1]) > 0.9
    assert entropy_left(latents, np.ones(2000)) == 0.0


def test_the_score_is_two_to_the_sum_of_entropies(make_generator):
    """Brightness of a channel is linear in the latent; a random answer is not, and leaves one bit of two."""
    stream = torch.Generator().manual_seed(0)

    def logits(images):
        random = torch.randn(len(images), 1, generator=stream)
        return torch.cat([images[:, :1].mean((2, 3)), random, torch.ones(len(images), 1)], 1)

    values = measure(make_generator((16, 16)), Attributes(("bright", "random", "always"), logits))
    assert values["ls_200/attributes"] == 3
    assert values["ls_200/w/0"] < 0.3
    assert 0.7 < values["ls_200/w/1"] <= 1
    assert values["ls_200/w/2"] == 0
    assert values["ls_200"] == pytest.approx(2 ** (values["ls_200/w/0"] + values["ls_200/w/1"]))
    assert values["ls_200/z"] == pytest.approx(values["ls_200"], rel=0.02)  # here w is z


def test_without_classifiers_the_message_says_what_to_give(make_generator, networks):
    with pytest.raises(ConfigError, match=r"needs classifiers of attributes, got none; .*Attributes"):
        runner.evaluate(["ls_200"], GeneratorPictures(make_generator((16, 16))), networks=networks)


def test_classifiers_of_another_number_of_attributes_are_refused(make_generator):
    attributes = Attributes(("smile", "hat"), lambda images: torch.zeros(len(images), 3))
    with pytest.raises(
        ConfigError, match=r"gave logits of \[8, 3\], expected \[8, 2\], a number for each of: smile, hat"
    ):
        measure(make_generator((16, 16)), attributes)
