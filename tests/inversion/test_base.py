"""What every method refuses, and that networks are lent."""

from __future__ import annotations

import pytest
import torch

from inversion.conftest import LinearEncoder, LinearGenerator
from limner.errors import ConfigError, ShapeError
from limner.inversion import in_domain, optimise
from limner.inversion.base import frozen

SHAPE = (2, 3, 4, 6)


def invert(linear: LinearGenerator, images: torch.Tensor, **settings: torch.Tensor) -> None:
    optimise.Method(optimise.Config(steps=0)).invert(linear, images, **settings)


@pytest.mark.parametrize("shape", [(2, 3, 6, 4), (2, 1, 4, 6), (3, 4, 6)])
def test_pictures_of_another_shape_are_refused(shape: tuple[int, ...], linear: LinearGenerator) -> None:
    with pytest.raises(ShapeError, match=r"got pictures of .*, expected \[N, 3, 4, 6\]"):
        invert(linear, torch.zeros(shape))


def test_no_picture_is_refused(linear: LinearGenerator) -> None:
    with pytest.raises(ShapeError, match="got 0 pictures, expected at least one"):
        invert(linear, torch.zeros(0, 3, 4, 6))


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.zeros(1, 1, 4, 6), ConfigError, "the mask of picture 0 is empty"),
        (torch.full((1, 1, 4, 6), 2.0), ConfigError, "got masks from 2 to 2, expected 0 to 1"),
        (torch.ones(1, 3, 4, 6), ShapeError, r"got masks of \[1, 3, 4, 6\], expected \[N or 1, 1, 4, 6\]"),
    ],
)
def test_other_masks_are_refused(
    mask: torch.Tensor, error: type[Exception], message: str, linear: LinearGenerator
) -> None:
    with pytest.raises(error, match=message):
        invert(linear, torch.zeros(SHAPE), masks=mask)


def test_a_context_for_other_pictures_is_refused(linear: LinearGenerator) -> None:
    with pytest.raises(ShapeError, match="2 and a context for 1 pictures"):
        invert(linear, torch.zeros(SHAPE), context=torch.zeros(1, 3, 4, 6))


def test_a_method_that_needs_an_encoder_says_so() -> None:
    with pytest.raises(ConfigError, match="method 'in-domain' needs an encoder, got none; name one with --encoder"):
        in_domain.Method(in_domain.Config())


def test_an_encoder_of_another_shape_is_refused(linear: LinearGenerator) -> None:
    other = LinearEncoder(LinearGenerator(num_ws=1))
    with pytest.raises(ShapeError, match="the encoder has num_ws=1, the generator num_ws=2"):
        in_domain.Method(in_domain.Config(), encoder=other).invert(linear, torch.zeros(SHAPE, dtype=torch.float64))


def test_frozen_networks_come_back_as_they_were() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    network[1].eval()
    network[0].bias.requires_grad_(False)
    with torch.no_grad(), frozen(network, None):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert torch.is_grad_enabled()
    assert (network.training, network[0].training, network[1].training) == (True, True, False)
    assert [p.requires_grad for p in network.parameters()] == [True, False, True, True]
