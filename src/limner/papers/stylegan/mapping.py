"""The mapping network of StyleGAN.

Source: StyleGAN paper, Section 2 and Appendix C (8 layers, learning rate multiplier 0.01); conditioning by a plain
matrix and normalisation of the concatenation, as the official networks do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limner.errors import ConfigError
from limner.ops.equalized import EqualizedLinear
from limner.ops.normalize import pixel_norm


class MappingNetwork(nn.Module):
    """z and label to w.

    Args:
        z_dim: length of z, and of the label's embedding.
        c_dim: length of the label; 0: unconditional.
        w_dim: width of every layer.
        num_layers: depth; 0: w is the normalised z.
        lr_multiplier: relative learning rate of the layers.
        num_ws: layers of the synthesis network that get a w of their own each, all from the last layer here (IDInvert's
            generator); None: one w for all.

    Raises:
        ConfigError: no layers, and the input is not as wide as w.
    """

    def __init__(
        self, *, z_dim: int, c_dim: int, w_dim: int, num_layers: int, lr_multiplier: float, num_ws: int | None = None
    ) -> None:
        super().__init__()
        self.num_layers, self.num_ws = num_layers, num_ws
        self.label_matrix = nn.Parameter(torch.randn(c_dim, z_dim)) if c_dim else None
        features = z_dim * (2 if c_dim else 1)
        for index in range(num_layers):
            width = w_dim if index < num_layers - 1 else w_dim * (num_ws or 1)
            layer = EqualizedLinear(features, width, activate=True, lr_multiplier=lr_multiplier, bias_scaled=False)
            self.add_module(f"fc{index}", layer)
            features = width
        if features != w_dim * (num_ws or 1):
            raise ConfigError(
                f"mapping_layers: got {num_layers} for {features} inputs and w_dim {w_dim}, expected at least 1 layer "
                "unless both are equal; add a layer"
            )

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        """z [N, z_dim] and c [N, c_dim], of the weights' type, to w [N, w_dim], or [N, num_ws, w_dim]."""
        if self.label_matrix is not None:
            assert c is not None
            z = torch.cat([z, c @ self.label_matrix], 1)  # [N, 2 z_dim]
        x = pixel_norm(z)
        for index in range(self.num_layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x if self.num_ws is None else x.unflatten(1, (self.num_ws, -1))
