"""Semantic diffusion: boxes, pasting, and that it is masked inversion from the pasted picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inversion.conftest import LinearEncoder, LinearGenerator
from limner.errors import ConfigError
from limner.inversion import in_domain
from limner.inversion.engine.diffusion import SETTINGS, Box, diffuse, parse_box, stitched


def test_a_box_is_read_and_drawn() -> None:
    box = parse_box("1, 2,3,1")
    assert box == Box(1, 2, 3, 1)
    mask = box.mask((4, 6))
    assert mask.sum() == 3
    assert mask[0, 0, 2, 1:4].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,3,4,5", ""])
def test_text_that_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected x,y,width,height in pixels"):
        parse_box(text)


@pytest.mark.parametrize("box", [Box(4, 0, 3, 1), Box(-1, 0, 2, 2), Box(0, 3, 1, 2), Box(0, 0, 0, 1)])
def test_a_box_outside_the_picture_is_refused(box: Box) -> None:
    with pytest.raises(ConfigError, match="expected a part of a picture 6 pixels wide and 4 high"):
        box.mask((4, 6))


def test_the_start_is_the_encoders_code_of_the_pasted_picture(linear: LinearGenerator, codes: Tensor) -> None:
    targets, contexts = linear.synthesis(codes), linear.synthesis(codes.roll(1, 0))
    box = Box(0, 0, 3, 2)
    encoder = LinearEncoder(linear)
    method = in_domain.Method(in_domain.Config(steps=0, domain_weight=0.0), encoder=encoder)
    found = diffuse(method, linear, targets, contexts, box)
    pasted = stitched(targets, contexts, box.mask((4, 6)).double())
    assert torch.allclose(found.ws, encoder(pasted), atol=1e-12)
    assert torch.equal(pasted[..., 2:, :], contexts[..., 2:, :])
    assert torch.equal(pasted[..., :2, :3], targets[..., :2, :3])


def test_steps_bring_the_part_nearer_and_nothing_outside_it_of_the_target_counts(
    linear: LinearGenerator, codes: Tensor
) -> None:
    targets, contexts = linear.synthesis(codes), linear.synthesis(codes.roll(1, 0))
    box = Box(1, 1, 3, 2)
    mask = box.mask((4, 6)).double()
    method = in_domain.Method(SETTINGS, encoder=LinearEncoder(linear))
    found = diffuse(method, linear, targets, contexts, box)
    other = diffuse(method, linear, stitched(targets, torch.full_like(targets, 9.0), mask), contexts, box)
    assert torch.equal(found.ws, other.ws)

    def error(images: Tensor) -> Tensor:
        return (mask * (images - targets)).square().sum((1, 2, 3))

    start = linear.synthesis(LinearEncoder(linear)(stitched(targets, contexts, mask)))
    assert (error(found.images) < error(start)).all()
