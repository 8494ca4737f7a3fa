"""The contract of an inversion method.

A method is a file of this folder that exports `Config`, a dataclass of its settings, and `Method`, a class whose
`invert` looks for the latents whose pictures are those given. The generator does not change (pivotal tuning works on a
copy and hands the difference over). For every picture, the code, the picture and the losses that are returned are those
of one step: the one with the least loss. Every picture is drawn the same random numbers, so a picture gets in a batch
what it gets alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from limner.errors import ConfigError, ShapeError
from limner.features.base import PerceptualNetwork
from limner.latents import Latents
from limner.papers.base import Encoder, Generator


@dataclass(frozen=True, kw_only=True)
class Step:
    """A moment of an inversion."""

    number: int
    """0 is the start."""
    total: int
    """Number of the last step."""
    images: Tensor
    """Pictures of the present codes [n, C, H, W]."""
    losses: Mapping[str, Tensor]
    """Name -> [n]; `loss` is what is minimised."""
    first: int = 0
    """Place in the batch of the first of these pictures; a method may work on one picture after the other."""


OnStep = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """Latents found for N pictures."""

    latents: Latents
    """The codes, in the space that was searched."""
    ws: Tensor
    """The same codes as `synthesis` takes them [N, num_ws, w_dim]."""
    images: Tensor
    """The pictures they make [N, C, H, W]."""
    losses: Mapping[str, Tensor]
    """Name -> [N] at the step that was kept; `loss` is what was minimised, the others are its terms, unweighted."""
    kept_step: Tensor
    """[N] step the codes are from."""
    noises: tuple[Tensor, ...] = ()
    """Noise maps [N, 1, H, W] the pictures were made with, for `synthesis`; empty: the generator's own."""
    deltas: tuple[Mapping[str, Tensor], ...] = ()
    """For each picture what was added to the generator's parameters, by name; empty: nothing."""
    stamp: Mapping[str, Any] = field(default_factory=dict)
    """What the perceptual network was and how its distance was scaled, as plain values."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a method gets, checked."""

    generator: Generator
    images: Tensor
    """[N, C, H, W] in [-1, 1]."""
    masks: Tensor | None
    """[N, 1, H, W] in [0, 1]; what counts."""
    context: Tensor | None
    """[N, C, H, W]; what an encoder is shown where the mask is 0; None: the average picture."""
    c: Tensor | None
    """[1, c_dim]."""
    on_step: OnStep


class Method(ABC):
    """A way to invert. A subclass sets `config`'s type in its constructor."""

    needs_encoder: ClassVar[bool] = False
    """Whether it cannot work without an encoder."""

    def __init__(
        self, config: Any, *, encoder: Encoder | None = None, perceptual: PerceptualNetwork | None = None
    ) -> None:
        """Take settings and networks.

        Args:
            config: the `Config` of the method's module.
            encoder: one of the generator that is to be inverted.
            perceptual: None: pixels alone are compared.

        Raises:
            ConfigError: the method needs an encoder and got none.
        """
        if encoder is None and self.needs_encoder:
            raise ConfigError(
                f"method '{self.name.replace('_', '-')}' needs an encoder, got none; name one with --encoder (train "
                "one with limner train --preset idinvert-tiny), or use optimise or project, which need none"
            )
        self.config, self.encoder, self.perceptual = config, encoder, perceptual

    @property
    def name(self) -> str:
        """The name it is registered under."""
        return type(self).__module__.rpartition(".")[2]

    def invert(
        self,
        generator: Generator,
        images: Tensor,
        *,
        masks: Tensor | None = None,
        context: Tensor | None = None,
        c: Tensor | None = None,
        on_step: OnStep | None = None,
    ) -> Inversion:
        """Look for the latents of pictures.

        Args:
            generator: is left as it is.
            images: [N, C, H, W] float in [-1, 1], of the generator's size, on its device.
            masks: [N or 1, 1, H, W] float in [0, 1]: what of the pictures counts; outside, they have no influence.
            context: [N, C, H, W] pictures that an encoder is shown outside the masks; None: the average picture.
            c: label vector [1, c_dim] of all pictures; for a conditional generator alone.
            on_step: told of every step.

        Raises:
            ShapeError: no picture, pictures or masks of another shape, or an encoder of another generator.
            ConfigError: an empty mask, or settings that do not go with one another.
            NonFiniteError: no step of a picture had a finite loss.
        """
        masks = check(generator, images, masks, context)
        task = Task(
            generator=generator,
            images=images.detach(),
            masks=masks,
            context=None if context is None else context.detach(),
            c=c,
            on_step=on_step or (lambda step: None),
        )
        if self.encoder is not None:
            self.encoder.check_generator(generator)
        with frozen(generator, self.encoder, self.perceptual):
            return self.run(task)

    @abstractmethod
    def run(self, task: Task) -> Inversion:
        """Do the work of `invert`; networks are in evaluation mode and their parameters take no gradient."""


def check(generator: Generator, images: Tensor, masks: Tensor | None, context: Tensor | None) -> Tensor | None:
    """Return the masks as [N, 1, H, W] or None, after checking what `invert` got; see there for what is refused."""
    shape = (generator.img_channels, *generator.img_resolution)
    for what, tensor in (("pictures", images), ("context", context)):
        if tensor is not None and (tensor.ndim != 4 or tuple(tensor.shape[1:]) != shape):
            raise ShapeError(
                f"invert: got {what} of {list(tensor.shape)}, expected [N, {', '.join(map(str, shape))}] as the "
                "generator makes them; resize them first"
            )
    if len(images) < 1 or (context is not None and len(context) != len(images)):
        got = len(images) if context is None else f"{len(images)} and a context for {len(context)}"
        raise ShapeError(f"invert: got {got} pictures, expected at least one, and as many pictures of a context")
    if masks is None:
        return None
    if masks.ndim != 4 or masks.shape[1] != 1 or masks.shape[2:] != images.shape[2:]:
        height, width = images.shape[2:]
        raise ShapeError(f"invert: got masks of {list(masks.shape)}, expected [N or 1, 1, {height}, {width}]")
    if masks.amin() < 0 or masks.amax() > 1:
        raise ConfigError(f"invert: got masks from {masks.amin():g} to {masks.amax():g}, expected 0 to 1")
    masks = masks.to(images).expand(len(images), -1, -1, -1)  # [N, 1, H, W]
    empty = (masks.amax((1, 2, 3)) == 0).nonzero().flatten().tolist()
    if empty:
        raise ConfigError(f"invert: the mask of picture {empty[0]} is empty, expected some of it to count; paint it")
    return masks


@contextmanager
def frozen(*modules: nn.Module | None) -> Iterator[None]:
    """Put networks into evaluation mode, their parameters without gradient, and back as they were."""
    present = [module for module in modules if module is not None]
    modes = [(module, module.training) for whole in present for module in whole.modules()]
    wanted = [(parameter, parameter.requires_grad) for module in present for parameter in module.parameters()]
    try:
        for module in present:
            module.eval().requires_grad_(False)
        with torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)
