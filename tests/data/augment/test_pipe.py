"""Contracts of the whole pipeline, over every pipe, number of channels and shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.data.augment import PIPES, AugmentPipe
from limner.data.augment.geometry import draw_blit, draw_geometry, warp
from limner.errors import ConfigError, ShapeError

ZERO, HALF, ONE = torch.tensor(0.0), torch.tensor(0.5), torch.tensor(1.0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("pipe", PIPES)
def test_at_p_zero_pictures_come_back_unchanged(pictures, seeded, pipe, channels):
    images = pictures(3, channels, 16, 24)
    augmented = AugmentPipe(pipe)(images, ZERO, seeded(3))
    if "filter" in PIPES[pipe]:
        torch.testing.assert_close(augmented, images)
    else:
        assert torch.equal(augmented, images)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("pipe", PIPES)
def test_at_p_one_every_picture_changes_and_stays_finite(pictures, seeded, pipe, channels):
    images = pictures(3, channels, 16, 24)
    augmented = AugmentPipe(pipe)(images, ONE, seeded(3))
    assert augmented.shape == images.shape
    assert augmented.dtype == images.dtype
    assert augmented.isfinite().all()
    assert (augmented - images).abs().amax() > 0.05


def test_pictures_that_drew_no_warp_are_copied_exactly(pictures, seeded):
    images = pictures(64, 3, 16, 16)
    _, drawn = draw_geometry(images, HALF, seeded(64))
    assert 0 < drawn.sum() < 64
    augmented = AugmentPipe("geom")(images, HALF, seeded(64))
    same = (augmented == images).flatten(1).all(1)
    assert torch.equal(same, ~drawn)


def test_blits_and_warps_are_one_resampling_of_the_original_picture(pictures, seeded):
    images = pictures(4, 3, 16, 16)
    draws = seeded(4)
    matrix = draw_blit(images, ONE, draws) @ draw_geometry(images, ONE, draws)[0]
    torch.testing.assert_close(AugmentPipe("bg")(images, ONE, seeded(4)), warp(images, matrix))


@pytest.mark.parametrize("pipe", PIPES)
def test_what_is_drawn_depends_neither_on_p_nor_on_the_pictures(pictures, seeded, pipe):
    asked = []
    for p, images in ((ZERO, pictures(2, 3, 8, 8)), (ONE, torch.zeros(2, 3, 8, 8))):
        draws = seeded(2)
        AugmentPipe(pipe)(images, p, draws)
        asked.append(draws.asked)
    assert asked[0] == asked[1]
    assert asked[0]


@pytest.mark.parametrize("share", [slice(0, 3), slice(1, None, 2)])
def test_a_share_of_a_batch_is_augmented_as_in_the_whole(pictures, seeded, share):
    images = pictures(6, 3, 16, 12)
    whole = AugmentPipe("bgcfnc")(images, HALF, seeded(6))
    part = AugmentPipe("bgcfnc")(images[share], HALF, seeded(6, share))
    torch.testing.assert_close(part, whole[share])


def test_the_same_numbers_give_the_same_bits(pictures, seeded):
    images = pictures(4, 3, 16, 16)
    first, second = (AugmentPipe("bgcfnc")(images, HALF, seeded(4)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 4, 4), (2, 5, 3), (3, 3, 4), (4, 2, 6)])
def test_first_and_second_derivatives_are_correct(pictures, seeded, channels, height, width):
    images = pictures(2, channels, height, width, torch.float64).requires_grad_()

    def augment(x: torch.Tensor) -> torch.Tensor:
        return AugmentPipe("bgcfnc")(x, torch.tensor(0.7), seeded(2))

    assert torch.autograd.gradcheck(augment, images)
    assert torch.autograd.gradgradcheck(augment, images)


@pytest.mark.parametrize("p", [ZERO, HALF, ONE])
def test_a_gradient_penalty_on_augmented_pictures_reaches_the_network(pictures, seeded, p):
    images = pictures(4, 3, 16, 16).requires_grad_()
    weight = torch.full((1, 3, 3, 3), 0.1, requires_grad=True)
    logits = torch.nn.functional.conv2d(AugmentPipe("bgc")(images, p, seeded(4)), weight).square().sum()
    (grad,) = torch.autograd.grad(logits, images, create_graph=True)
    grad.square().sum().backward()
    assert weight.grad.isfinite().all()
    assert weight.grad.abs().sum() > 0


def test_nothing_reads_a_value_of_a_tensor(seeded):
    """Tensors of the meta device hold no values: whatever asks for one, and would wait for a GPU, raises."""
    images = torch.zeros(2, 3, 8, 12, device="meta", requires_grad=True)
    p = torch.tensor(0.5, device="meta")
    augmented = AugmentPipe("bgcfnc")(images, p, seeded(2, device="meta"))
    (grad,) = torch.autograd.grad(augmented.sum(), images)
    assert grad.shape == images.shape


@settings(deadline=None, max_examples=40)
@given(
    channels=st.integers(1, 4),
    height=st.integers(2, 20),
    width=st.integers(2, 20),
    p=st.floats(0, 3),
    seed=st.integers(0, 2**20),
)
def test_any_picture_of_two_pixels_or_more_stays_finite(channels, height, width, p, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, channels, height, width, generator=generator) * 2 - 1

    class Draws:
        def rand(self, *shape: int) -> torch.Tensor:
            return torch.rand(2, *shape, generator=generator)

        def randn(self, *shape: int) -> torch.Tensor:
            return torch.randn(2, *shape, generator=generator)

    images.requires_grad_()
    augmented = AugmentPipe("bgcfnc")(images, torch.tensor(p), Draws())
    augmented.square().sum().backward()
    assert augmented.shape == images.shape
    assert augmented.isfinite().all()
    assert images.grad.isfinite().all()


def test_an_unknown_pipe_is_refused_with_the_closest_name():
    with pytest.raises(ConfigError, match=r"unknown augmentation pipe 'bgcx'.*Did you mean 'bgc"):
        AugmentPipe("bgcx")


@pytest.mark.parametrize("shape", [(1, 5, 8, 8), (1, 3, 1, 8), (3, 8, 8), (1, 0, 8, 8)])
def test_pictures_of_another_shape_are_refused(seeded, shape):
    with pytest.raises(ShapeError, match="augmentation expects pictures of"):
        AugmentPipe()(torch.zeros(shape), HALF, seeded(1))
