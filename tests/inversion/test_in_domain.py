"""In-domain inversion: the pull towards what the encoder gives back."""

from __future__ import annotations

import torch
from torch import Tensor

from inversion.conftest import LinearEncoder, LinearGenerator
from limner.inversion import in_domain


def found(linear: LinearGenerator, codes: Tensor, weight: float, *, gain: float = 0.5) -> Tensor:
    """Codes after many steps with an encoder that gives `gain` times the code."""
    config = in_domain.Config(steps=600, lr=0.02, domain_weight=weight)
    method = in_domain.Method(config, encoder=LinearEncoder(linear, gain))
    return method.invert(linear, linear.synthesis(codes)).ws


def test_with_an_encoder_that_is_exact_the_code_is_found(linear: LinearGenerator, codes: Tensor) -> None:
    assert torch.allclose(found(linear, codes, 2.0, gain=1.0), codes, atol=1e-3)


def test_the_balance_of_both_terms_is_the_closed_form(linear: LinearGenerator, codes: Tensor) -> None:
    """Pixels: |w - w*|^2 / 72, as the generator is orthonormal; the term: lambda |w - w / 2|^2 / 12."""
    weight = 2.0
    pixel, pull = 1 / 72, weight * 0.25 / 12
    assert torch.allclose(found(linear, codes, weight), codes * pixel / (pixel + pull), atol=1e-3)


def test_without_the_term_it_is_free_optimisation_from_the_encoder(linear: LinearGenerator, codes: Tensor) -> None:
    assert torch.allclose(found(linear, codes, 0.0), codes, atol=1e-3)


def test_gradients_pass_through_the_frozen_encoder(linear: LinearGenerator, codes: Tensor) -> None:
    """With E(G(w)) held fixed at its first value the code would stay near E(x); through E it shrinks to zero."""
    assert found(linear, codes, 1000.0).abs().max() < 0.05
