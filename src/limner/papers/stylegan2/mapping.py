"""The mapping network of StyleGAN2.

Source: StyleGAN paper, Section 2 and Appendix C (8 layers, learning rate multiplier 0.01); conditioning as in the
official networks (StyleGAN2-ADA: separate normalisation; StyleGAN2 in TensorFlow: joint normalisation).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.ops.equalized import EqualizedLinear
from limner.ops.normalize import pixel_norm

LabelNorm = Literal["separate", "joint"]


class MappingNetwork(nn.Module):
    """z and label to w.

    Args:
        z_dim: length of z; 0 for a network of labels alone (the discriminator's).
        c_dim: length of the label; 0: unconditional.
        w_dim: width of every layer.
        num_layers: depth.
        lr_multiplier: relative learning rate of the layers.
        label_norm: `separate` embeds the label with a biased layer and normalises z and embedding each; `joint` embeds
            it by a plain matrix and normalises the concatenation.

    Raises:
        ConfigError: no layers, and the input is not as wide as w.
    """

    def __init__(
        self,
        *,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_layers: int,
        lr_multiplier: float,
        label_norm: LabelNorm = "separate",
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_layers, self.label_norm = z_dim, c_dim, num_layers, label_norm
        if c_dim and label_norm == "separate":
            self.embed = EqualizedLinear(c_dim, w_dim)
        elif c_dim:
            self.label_matrix = nn.Parameter(torch.randn(c_dim, w_dim))
        features = z_dim + (w_dim if c_dim else 0)
        for index in range(num_layers):
            layer = EqualizedLinear(features, w_dim, activate=True, lr_multiplier=lr_multiplier)
            self.add_module(f"fc{index}", layer)
            features = w_dim
        if features != w_dim:
            raise ConfigError(
                f"mapping_layers: got {num_layers} for {features} inputs and w_dim {w_dim}, expected at least 1 layer "
                "unless both are equal; add a layer"
            )

    def forward(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """z [N, z_dim] and c [N, c_dim], of the weights' type, to w [N, w_dim]."""
        parts = [] if z is None else [z]
        if self.c_dim:
            assert c is not None
            parts.append(self.embed(c) if self.label_norm == "separate" else c @ self.label_matrix)
        if self.label_norm == "separate":
            x = torch.cat([pixel_norm(part) for part in parts], 1)
        else:
            x = pixel_norm(torch.cat(parts, 1))
        for index in range(self.num_layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x
