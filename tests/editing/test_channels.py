"""Style channels: the one that was planted ranks first."""

from __future__ import annotations

import pytest
import torch

from inversion.conftest import room_generator
from limner.editing import channels
from limner.editing.engine.samples import sampled_codes
from limner.editing.engine.styles import style_layers, styles
from limner.errors import ConfigError, ShapeError

BANK = torch.randn(1000, 30, generator=torch.Generator().manual_seed(0)) * 2 + 5


def test_relevance_is_mean_over_deviation_of_standardised_styles() -> None:
    positive = BANK[:10] + 1.0
    standard = (positive - BANK.mean(0)) / BANK.std(0)
    values, ranks = channels.relevance(BANK, positive)
    assert torch.allclose(values, standard.mean(0) / standard.std(0))
    assert values.abs()[ranks].tolist() == sorted(values.abs().tolist(), reverse=True)


def test_a_channel_that_never_varies_ranks_last() -> None:
    bank = BANK.clone()
    bank[:, 4] = 1.0
    values, ranks = channels.relevance(bank, bank[:10])
    assert values[4] == 0
    assert ranks[-1] == 4


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_planted_channel_ranks_first_with_its_sign_layer_and_deviation(sign: float) -> None:
    generator = room_generator("stylegan2")
    layers = style_layers(generator)
    bank = styles(layers, sampled_codes(generator, 400)[1])
    index = layers[0].num_channels + 3
    scores = sign * (bank[:, index] - bank[:, index].quantile(0.9 if sign > 0 else 0.1))
    way = channels.Edit(count=2).fit(layers, bank, scores, attribute="hat").direction_
    assert way.vector[index] == sign
    assert way.vector.abs().sum() == 1.0
    assert (way.space, way.layers, way.numbers["channel"]) == ("s", (layers[1].layer,), 3.0)
    assert way.name == f"hat-{layers[1].name}-3"
    assert abs(way.deviation - bank[:, index].std().item()) < 1e-6


@pytest.mark.parametrize("scores", [torch.ones(1000), -torch.ones(1000), torch.tensor([1.0] + [-1.0] * 999)])
def test_an_attribute_with_one_class_is_refused(scores: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match=r"attribute 'hat': .* of 1000 pictures have it, expected at least 2"):
        channels.Edit().fit([], BANK, scores, attribute="hat")


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 1 positive pictures"):
        channels.Edit(num_positive=1)
    with pytest.raises(ShapeError, match=r"got scores of \[2\] for 1000 pictures"):
        channels.Edit().fit([], BANK, torch.zeros(2), attribute="a")
