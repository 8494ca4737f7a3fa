"""Building networks for inference: batch normalisation folded into convolutions, seeded random weights, freezing.

Modules are made on the device `meta` and take their tensors from a state dict, so building one costs no time and draws
no random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def frozen(network: Network, state: Mapping[str, Tensor], device: torch.device | str = "cpu") -> Network:
    """Give `network` the tensors of `state`, on `device`, in evaluation mode and without gradients of its own."""
    network.load_state_dict(state, assign=True)
    network.eval().requires_grad_(False)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def fold_batch_norms(
    state: Mapping[str, Tensor], pairs: Mapping[str, tuple[str, str]], eps: float
) -> dict[str, Tensor]:
    """Return the weights and biases of convolutions that do the work of the normalisations after them, too.

    With s = gamma / sqrt(var + eps): weight' = s weight, bias' = beta - s mean; computed in float64.

    Args:
        state: tensors of the network as it was trained.
        pairs: name of the folded convolution -> names of the convolution and of the normalisation in `state`.
        eps: of the normalisations.
    """
    folded = {}
    for name, (conv, norm) in pairs.items():
        gamma, beta, mean, var = (
            state[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / (var + eps).sqrt()  # [O]
        folded[f"{name}.weight"] = (state[f"{conv}.weight"].double() * scale[:, None, None, None]).float()
        folded[f"{name}.bias"] = (beta - scale * mean).float()
    return folded


class RandomTensors:
    """Tensors of seeded random layers under given names, all drawn from one stream."""

    def __init__(self, seed: int) -> None:
        self.stream = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, std: float) -> Tensor:
        """Return normally distributed numbers around zero."""
        return torch.randn(shape, generator=self.stream).mul_(std)

    def layer(self, name: str, *shape: int) -> dict[str, Tensor]:
        """Return weight and bias of a linear or convolutional layer that keeps the size of activations."""
        weight = self.normal(*shape, std=1 / math.sqrt(math.prod(shape[1:])))
        return {f"{name}.weight": weight, f"{name}.bias": self.normal(shape[0], std=0.1)}

    def norm(self, name: str, width: int) -> dict[str, Tensor]:
        """Return weight and bias of a normalisation."""
        return {f"{name}.weight": 1 + self.normal(width, std=0.1), f"{name}.bias": self.normal(width, std=0.1)}


def random_state(network: nn.Module, pairs: Mapping[str, tuple[str, str]], seed: int) -> dict[str, Tensor]:
    """Return random tensors under the names of the network as it is trained, normalisations unfolded.

    Weights are He's, so that activations keep their size; biases and normalisations are near those of an untrained
    network, without being its zeros and ones.

    Args:
        network: the folded network.
        pairs: as `fold_batch_norms` takes them.
        seed: of the one stream all tensors are drawn from.
    """
    draw = RandomTensors(seed)
    state = {}
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        conv, norm = pairs.get(name, (name, None))
        width, gain = len(module.weight), math.sqrt(2 / module.weight[0].numel())
        state[f"{conv}.weight"] = draw.normal(*module.weight.shape, std=gain)
        if norm is None:
            state[f"{conv}.bias"] = draw.normal(width, std=0.1)
        else:
            state |= draw.norm(norm, width)
            state[f"{norm}.running_mean"] = draw.normal(width, std=0.1)
            state[f"{norm}.running_var"] = 1 + draw.normal(width, std=0.1).abs()
            state[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    return state
