"""Folding batch normalisation, random weights and freezing."""

from __future__ import annotations

import torch
from torch import nn

from limner.features.graph import fold_batch_norms, frozen, random_state

PAIRS = {"first": ("first.conv", "first.bn"), "second": ("second.conv", "second.bn")}


class Folded(nn.Module):
    """Two convolutions and a dense layer, before they get their tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, device="meta")
        self.second = nn.Conv2d(8, 8, 3, groups=8, device="meta")
        self.fc = nn.Linear(8, 2, device="meta")


def test_a_folded_convolution_does_what_convolution_and_normalisation_do() -> None:
    state = random_state(Folded(), PAIRS, 0)
    network = frozen(
        Folded(), {**fold_batch_norms(state, PAIRS, 1e-3), "fc.weight": state["fc.weight"], "fc.bias": state["fc.bias"]}
    )
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8, eps=1e-3),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.BatchNorm2d(8, eps=1e-3),
    ).eval()
    names = [f"{layer}.{part}" for layer in ("first", "second") for part in ("conv", "bn")]
    for name, layer in zip(names, plain, strict=True):
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        layer.load_state_dict(own)
    torch.testing.assert_close(network.second(network.first(x)), plain(x), atol=1e-5, rtol=1e-5)


def test_a_frozen_network_has_no_gradients_of_its_own_and_evaluates() -> None:
    network = frozen(nn.Conv2d(2, 4, 3, device="meta"), {"weight": torch.ones(4, 2, 3, 3), "bias": torch.zeros(4)})
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.weight.is_contiguous(memory_format=torch.channels_last)
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    network(x).sum().backward()
    assert torch.equal(x.grad, torch.full((1, 2, 3, 3), 4.0))


def test_random_weights_follow_the_seed_and_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (random_state(Folded(), PAIRS, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["first.conv.weight"], other["first.conv.weight"])
    assert set(first) == {
        *(f"{layer}.conv.weight" for layer in ("first", "second")),
        *(
            f"{layer}.bn.{part}"
            for layer in ("first", "second")
            for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        ),
        *("fc.weight", "fc.bias"),
    }
