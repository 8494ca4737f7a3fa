"""The encoder's answer as an inversion."""

from __future__ import annotations

import torch
from torch import Tensor

from inversion.conftest import LinearEncoder, LinearGenerator, MeansNetwork
from limner.inversion import encoder, optimise


def test_the_inverse_of_a_linear_generator_gives_its_code(linear: LinearGenerator, codes: Tensor) -> None:
    images = linear.synthesis(codes)
    method = encoder.Method(encoder.Config(), encoder=LinearEncoder(linear), perceptual=MeansNetwork())
    found = method.invert(linear, images)
    assert torch.allclose(found.ws, codes, atol=1e-12)
    assert torch.allclose(found.images, images, atol=1e-12)
    assert found.losses["loss"].max() < 1e-20
    assert found.stamp["network"] == "means"


def test_a_masked_picture_is_shown_over_the_average_or_its_context(linear: LinearGenerator, codes: Tensor) -> None:
    images, context = linear.synthesis(codes), linear.synthesis(codes.roll(1, 0))
    masks = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    masks[..., :2, :] = 1.0
    network = LinearEncoder(linear)
    method = encoder.Method(encoder.Config(), encoder=network)
    over = method.invert(linear, images, masks=masks, context=context)
    assert torch.allclose(over.ws, network(torch.where(masks > 0, images, context)), atol=1e-12)
    plain = method.invert(linear, images, masks=masks)
    assert not torch.allclose(plain.ws, over.ws)


class MeanEncoder(LinearEncoder):
    """Gives the z whose w is the mean over layers of what its parent gives."""

    def __init__(self, generator: LinearGenerator) -> None:
        super().__init__(generator)
        self.space = "z"
        self.turn = generator.turn

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).mean(1) @ self.turn.T


def test_an_encoder_in_z_is_mapped_and_starts_a_search_in_z(linear: LinearGenerator, codes: Tensor) -> None:
    z = codes[:, 0]
    images = linear.synthesis(linear.mapping(z))
    network = MeanEncoder(linear)
    found = encoder.Method(encoder.Config(), encoder=network).invert(linear, images)
    assert torch.allclose(found.ws, linear.mapping(z), atol=1e-12)
    config = optimise.Config(steps=0, space="z", start="encoder")
    assert torch.allclose(optimise.Method(config, encoder=network).invert(linear, images).latents.values, z, atol=1e-12)
