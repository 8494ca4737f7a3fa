"""The mapping network against the paper's formula, and its two ways to join a label."""

from __future__ import annotations

import pytest
import torch

from limner.errors import ConfigError
from limner.papers.stylegan2.mapping import LabelNorm, MappingNetwork
from ops import plain
from papers.stylegan2 import plain_networks
from papers.stylegan2.conftest import shake


def network(
    *, z_dim: int = 6, c_dim: int = 0, num_layers: int = 3, label_norm: LabelNorm = "separate"
) -> MappingNetwork:
    torch.manual_seed(0)
    made = MappingNetwork(
        z_dim=z_dim, c_dim=c_dim, w_dim=5, num_layers=num_layers, lr_multiplier=0.01, label_norm=label_norm
    )
    shake(made)
    return made.double()


@pytest.mark.parametrize("num_layers", [1, 2, 8])
def test_it_normalises_z_and_applies_its_layers(num_layers: int) -> None:
    made, z = network(num_layers=num_layers), torch.randn(4, 6).double()
    state = {f"m.{name}": tensor for name, tensor in made.state_dict().items()}
    expected = plain_networks.mapping(state, "m", z, None, joint=False, multiplier=0.01)
    torch.testing.assert_close(made(z, None), expected)
    torch.testing.assert_close(made(7 * z, None), expected, rtol=1e-6, atol=1e-6)  # only z's direction counts


@pytest.mark.parametrize("label_norm", ["separate", "joint"])
def test_a_label_is_joined_as_each_line_of_networks_does(label_norm: LabelNorm) -> None:
    made = network(c_dim=3, label_norm=label_norm)
    z, c = torch.randn(4, 6).double(), torch.eye(3)[[0, 2, 1, 0]].double()
    state = {f"m.{name}": tensor for name, tensor in made.state_dict().items()}
    expected = plain_networks.mapping(state, "m", z, c, joint=label_norm == "joint", multiplier=0.01)
    torch.testing.assert_close(made(z, c), expected)


def test_separate_normalisation_has_a_biased_embedding_and_joint_a_plain_matrix() -> None:
    separate, joint = (set(network(c_dim=3, label_norm=kind).state_dict()) for kind in ("separate", "joint"))
    assert separate - joint == {"embed.weight", "embed.bias"}
    assert joint - separate == {"label_matrix"}


def test_separate_normalisation_forgets_the_length_of_z_and_joint_weighs_it_against_the_label() -> None:
    z, c = torch.randn(2, 6).double(), torch.eye(3)[[0, 1]].double()
    separate, joint = (network(c_dim=3, label_norm=kind) for kind in ("separate", "joint"))
    torch.testing.assert_close(separate(50 * z, c), separate(z, c), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(joint(50 * z, c), joint(z, c), rtol=1e-2)


def test_a_network_of_labels_alone_takes_no_z() -> None:
    made, c = network(z_dim=0, c_dim=3), torch.eye(3).double()
    w = made(None, c)
    assert w.shape == (3, 5)
    assert not torch.allclose(w[0], w[1])


def test_without_layers_w_is_the_normalised_z_where_both_are_equally_long() -> None:
    z = torch.randn(3, 5).double()
    torch.testing.assert_close(network(z_dim=5, num_layers=0)(z, None), plain.pixel_norm(z))
    with pytest.raises(ConfigError, match=r"mapping_layers: got 0 for 6 inputs and w_dim 5, expected at least 1"):
        network(num_layers=0)
