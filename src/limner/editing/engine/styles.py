"""The styles of a generator: what its style layers make of w, as one vector, to be looked at and moved.

Source: StyleSpace (Wu et al. 2021), Section 3: the space S of all channels of the affine layers' outputs. A style layer
is found by asking the network: every linear layer of synthesis that reads a w. In networks without styles (ProGAN) that
is the dense layer the picture starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limner.errors import ShapeError
from limner.ops.equalized import EqualizedLinear
from limner.papers.base import Generator


@dataclass(frozen=True, kw_only=True)
class StyleLayer:
    """A linear layer that reads w."""

    name: str
    """Path of the module in the generator."""
    module: EqualizedLinear
    layer: int
    """Which w it reads."""

    @property
    def num_channels(self) -> int:
        """Numbers it gives."""
        return self.module.weight.shape[0]


@torch.no_grad()
def style_layers(generator: Generator) -> list[StyleLayer]:
    """Return the layers of synthesis that read a w, in the order they run.

    Every w is filled with its number plus one; what a layer is called with says which it reads.
    """
    found: list[StyleLayer] = []
    names = {id(module): name for name, module in generator.named_modules()}

    def note(module: Any, arguments: tuple[Tensor, ...]) -> None:
        w = arguments[0]
        mark = w.flatten()[0]
        if w.shape == (1, generator.w_dim) and bool((w == mark).all()) and mark in marks:
            found.append(StyleLayer(name=names[id(module)], module=module, layer=int(mark) - 1))

    marks = torch.arange(1, generator.num_ws + 1).to(generator.w_avg)  # [num_ws]
    linear = [module for module in generator.modules() if isinstance(module, EqualizedLinear)]
    handles = [module.register_forward_pre_hook(note) for module in linear]
    try:
        generator.synthesis(marks[None, :, None].expand(1, -1, generator.w_dim))
    finally:
        for handle in handles:
            handle.remove()
    return found


@torch.no_grad()
def styles(layers: Sequence[StyleLayer], ws: Tensor) -> Tensor:
    """Return the styles [N, S] of ws [N, num_ws, w_dim]."""
    return torch.cat([layer.module(ws[:, layer.layer]) for layer in layers], 1)


def place_of(layers: Sequence[StyleLayer], index: int) -> tuple[StyleLayer, int]:
    """Return the layer and the channel in it of number `index` in the vector of styles."""
    for layer in layers:
        if index < layer.num_channels:
            return layer, index
        index -= layer.num_channels
    raise ShapeError(f"styles: got number {index} beyond the last, expected less than the channels of all layers")


@contextmanager
def shifted(layers: Sequence[StyleLayer], offset: Tensor) -> Iterator[None]:
    """Add `offset`, [S] or [N, S], to the styles while entered."""
    total = sum(layer.num_channels for layer in layers)
    if offset.shape[-1] != total:
        raise ShapeError(f"styles: got an offset of {offset.shape[-1]} numbers, this generator has {total} channels")
    pieces = offset.split([layer.num_channels for layer in layers], -1)

    def adder(piece: Tensor) -> Callable[[Any, Any, Tensor], Tensor]:
        return lambda module, arguments, output: output + piece.to(output)

    handles = [layer.module.register_forward_hook(adder(piece)) for layer, piece in zip(layers, pieces, strict=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
