"""The mapping network against the paper's formula."""

from __future__ import annotations

import pytest
import torch

from limner.errors import ConfigError
from limner.papers.stylegan.mapping import MappingNetwork
from ops import plain
from papers.stylegan import plain_networks
from papers.stylegan.conftest import shake


def network(*, z_dim: int = 6, c_dim: int = 0, w_dim: int = 5, num_layers: int = 3) -> MappingNetwork:
    torch.manual_seed(0)
    made = MappingNetwork(z_dim=z_dim, c_dim=c_dim, w_dim=w_dim, num_layers=num_layers, lr_multiplier=0.01)
    shake(made)
    return made.double()


@pytest.mark.parametrize("num_layers", [1, 2, 8])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_it_normalises_z_and_label_together_and_applies_its_layers(num_layers: int, c_dim: int) -> None:
    made, z = network(num_layers=num_layers, c_dim=c_dim), torch.randn(4, 6).double()
    c = torch.eye(3)[[0, 2, 1, 0]].double() if c_dim else None
    state = {f"m.{name}": tensor for name, tensor in made.state_dict().items()}
    torch.testing.assert_close(made(z, c), plain_networks.mapping(state, "m", z, c))


def test_without_a_label_only_the_direction_of_z_counts_and_with_one_its_length_too() -> None:
    z, c = torch.randn(2, 6).double(), torch.eye(3)[[0, 1]].double()
    alone, joint = network(), network(c_dim=3)
    torch.testing.assert_close(alone(50 * z, None), alone(z, None), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(joint(50 * z, c), joint(z, c), rtol=1e-2)


def test_a_step_of_the_weights_moves_w_a_hundred_times_less_than_at_full_rate() -> None:
    """The stored weights are a hundred times larger and multiplied back, so w starts the same and learns slower."""
    slow = MappingNetwork(z_dim=400, c_dim=0, w_dim=400, num_layers=1, lr_multiplier=0.01)
    weight, w = slow.get_submodule("fc0").weight, slow(torch.randn(64, 400), None)
    assert weight.std().item() == pytest.approx(100, rel=0.02)
    assert w.square().mean().item() == pytest.approx(2 * (1 + 0.2**2) / 2, rel=0.05)  # E lrelu(sqrt(2) n)^2


def test_without_layers_w_is_the_normalised_input_where_both_are_equally_long() -> None:
    z, c = torch.randn(3, 5).double(), torch.eye(3).double()
    torch.testing.assert_close(network(z_dim=5, num_layers=0)(z, None), plain.pixel_norm(z))
    joint = network(z_dim=5, num_layers=0, c_dim=3, w_dim=10)
    torch.testing.assert_close(joint(z, c), plain.pixel_norm(torch.cat([z, joint.label_matrix], 1)))
    with pytest.raises(ConfigError, match=r"mapping_layers: got 0 for 6 inputs and w_dim 5, expected at least 1"):
        network(num_layers=0)
