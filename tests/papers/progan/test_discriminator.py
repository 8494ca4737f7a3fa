"""The discriminator against the plain network at every level of detail, its classifier and its refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from limner.errors import ConfigError, ShapeError
from limner.losses.wgan import gradient_penalty
from limner.papers.progan import Discriminator, DiscriminatorConfig
from papers.progan import plain_networks
from papers.progan.conftest import TINY_D

MakeD = Callable[..., Discriminator]
OPTIONS = [
    {},
    {"fused_scale": False, "mbstd_group": 8, "mbstd_features": 2},
    {"normalization": "layer", "mbstd_features": 0, "equalized": False},
    {"normalization": "layer", "mbstd_features": 0, "equalized": False, "fused_scale": False},
    {"mbstd_features": 0, "mbdisc_kernels": 3},
]
LODS = [0, 0.25, 1, 1.5, 2]


def plain_outputs(discriminator: Discriminator, state: dict[str, Tensor], images: Tensor, lod: float = 0.0) -> Tensor:
    config = discriminator.config
    assert config.mbstd_group is not None
    return plain_networks.discriminator(
        state,
        images,
        blocks=discriminator.blocks,
        group=config.mbstd_group,
        num_features=config.mbstd_features,
        lod=lod,
        normalization=config.normalization,
        mbdisc_kernels=config.mbdisc_kernels,
        equalized=config.equalized,
        fused_scale=config.fused_scale,
    )


def pictures(height: int, width: int, lod: float, count: int = 8) -> Tensor:
    below = 2 ** int(lod)
    return torch.randn(count, 3, height // below, width // below, generator=torch.Generator().manual_seed(3)).double()


def test_the_parameter_count_equals_the_published_one() -> None:
    assert sum(p.numel() for p in Discriminator(DiscriminatorConfig()).parameters()) == 23_087_249


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scores_and_classes_equal_those_of_the_plain_network(
    make_d: MakeD, options: dict[str, Any], lod: float
) -> None:
    discriminator = make_d(img_resolution=(24, 16), c_dim=2, **options)
    images = pictures(24, 16, lod)
    score, classes = discriminator.score_and_classes(images, lod=lod)
    assert (score.shape, classes.shape) == ((8, 1), (8, 2))
    expected = plain_outputs(discriminator, discriminator.state_dict(), images, lod)
    torch.testing.assert_close(torch.cat([score, classes], 1), expected)
    assert torch.equal(discriminator(images, torch.zeros(8, 2), lod=lod), score)


@pytest.mark.parametrize("lod", [0, 0.5, 1])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_gradient_of_the_penalty_equals_that_of_the_plain_network(
    make_d: MakeD, options: dict[str, Any], lod: float
) -> None:
    """Second order through every layer and statistic of WGAN-GP, against torch's own derivatives."""
    discriminator = make_d(img_resolution=(8, 8), **options)
    reals, fakes = pictures(8, 8, lod), pictures(8, 8, lod).flip(0)
    mix = torch.rand(8).double()
    parameters = dict(discriminator.named_parameters())
    penalty = gradient_penalty(lambda images: discriminator(images, lod=lod), reals, fakes, mix, target=2.0).mean()
    between = (mix[:, None, None, None] * reals + (1 - mix[:, None, None, None]) * fakes).requires_grad_()
    outputs = plain_outputs(discriminator, parameters, between, lod)
    (inner,) = torch.autograd.grad(outputs.sum(), between, create_graph=True)
    plain_penalty = ((inner.flatten(1).norm(dim=1) - 2) ** 2 / 4).mean()
    torch.testing.assert_close(penalty, plain_penalty)
    gradients = [
        torch.autograd.grad(value, parameters.values(), materialize_grads=True) for value in (penalty, plain_penalty)
    ]
    for name, ours, theirs in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


def test_halving_before_or_after_the_activation_is_the_same_where_nothing_is_negative(make_d: MakeD) -> None:
    """The two orders differ by the activation alone: with positive features leaky ReLU is linear."""
    fused, pooled = make_d(), make_d(fused_scale=False)
    images = pictures(16, 16, 0)
    assert not torch.allclose(fused(images), pooled(images))
    for network in (fused, pooled):
        for parameter in network.parameters():
            parameter.data.abs_()
    torch.testing.assert_close(fused(images.abs()), pooled(images.abs()))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_level_that_fades_in_starts_from_the_score_before_it_and_ends_at_its_own(
    make_d: MakeD, options: dict[str, Any]
) -> None:
    """At weight 1 of the coarser path a picture is judged by its halved self alone; at weight 0 by the finer path."""
    discriminator, tiny = make_d(**options), 1e-9
    images = pictures(16, 16, 0)
    coarse = images.unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
    before = discriminator(coarse, lod=1)
    torch.testing.assert_close(discriminator(images, lod=1 - tiny), before, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(discriminator(images, lod=tiny), discriminator(images), rtol=1e-5, atol=1e-5)


def test_single_precision_is_within_rounding_of_double(make_d: MakeD) -> None:
    images = torch.randn(4, 3, 32, 32)
    single, double = (make_d(dtype=dtype, img_resolution=(32, 32)) for dtype in (torch.float32, torch.float64))
    logits, exact = single(images), double(images.double())
    assert logits.dtype == torch.float32
    assert ((logits - exact).norm() / exact.norm()).item() < 1e-5


def test_a_label_is_asked_for_and_not_read(make_d: MakeD) -> None:
    discriminator, images = make_d(c_dim=3), pictures(16, 16, 0)
    assert discriminator.uses_labels is False
    first, second = (torch.eye(3)[[k] * 8] for k in (0, 1))
    assert torch.equal(discriminator(images, first), discriminator(images, second))
    for c in (None, torch.zeros(8, 4)):
        with pytest.raises(ShapeError, match=r"this discriminator is conditional: give labels c of \[8, 3\]"):
            discriminator(images, c)


def test_freezing_counts_layers_from_the_picture_inwards(make_d: MakeD) -> None:
    discriminator = make_d(mbdisc_kernels=2)
    names = {id(module): name for name, module in discriminator.named_modules()}
    assert [names[id(layer)] for layer in discriminator.freezable_layers()] == [
        *("b16.fromrgb", "b16.conv0", "b16.conv1"),
        *("b8.fromrgb", "b8.conv0", "b8.conv1"),
        *("b4.fromrgb", "b4.conv", "b4.fc", "b4.mbdisc", "b4.out"),
    ]
    counted = {id(parameter) for layer in discriminator.freezable_layers() for parameter in layer.parameters()}
    assert counted == {id(parameter) for parameter in discriminator.parameters()}


@pytest.mark.parametrize("lod", [0, 1.5])
def test_noise_disturbs_the_input_of_every_layer_but_fromrgb(make_d: MakeD, lod: float) -> None:
    discriminator, widths = make_d(mbstd_features=0), []

    def noise(x: Tensor) -> Tensor:
        widths.append(tuple(x.shape[1:]))
        return x

    undisturbed = discriminator(pictures(16, 16, lod), lod=lod)
    score, _ = discriminator.score_and_classes(pictures(16, 16, lod), lod=lod, noise=noise)
    assert torch.equal(score, undisturbed)
    finest = [(4, 16, 16), (4, 16, 16)] if lod == 0 else []  # conv0 and conv1
    assert widths == [*finest, (8, 8, 8), (8, 8, 8), (8, 4, 4), (8, 4, 4), (8,)]
    doubled, _ = discriminator.score_and_classes(pictures(16, 16, lod), lod=lod, noise=lambda x: 2 * x)
    assert not torch.allclose(doubled, undisturbed)


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (12, 8)])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_any_base_grid_works_down_to_a_single_block(
    make_d: MakeD, options: dict[str, Any], size: tuple[int, int]
) -> None:
    assert make_d(img_resolution=size, **options)(pictures(*size, 0, 2)).shape == (2, 1)


def test_without_statistics_of_the_batch_a_score_does_not_depend_on_it(make_d: MakeD) -> None:
    images = pictures(16, 16, 0, 4)
    alone = make_d(mbstd_features=0, normalization="layer")
    torch.testing.assert_close(alone(images)[:1], alone(images[:1]))
    for options in ({}, {"mbstd_features": 0, "mbdisc_kernels": 2}):
        together = make_d(**options)
        assert not torch.allclose(together(images)[:1], together(images[:1]))


@pytest.mark.parametrize("world", [2, 4])
def test_strided_shares_of_a_batch_get_the_scores_of_the_whole_batch(make_d: MakeD, world: int) -> None:
    discriminator, images = make_d(), pictures(16, 16, 0, 16)
    full = discriminator(images)
    for rank in range(world):
        torch.testing.assert_close(discriminator(images[rank::world]), full[rank::world])


@pytest.mark.parametrize(
    ("lod", "shape", "expected"),
    [(0, (2, 3, 16, 8), "3, 16, 16"), (1.5, (2, 3, 16, 16), "3, 8, 8"), (2, (2, 1, 4, 4), "3, 4, 4")],
)
def test_pictures_of_a_wrong_shape_are_refused(
    make_d: MakeD, lod: float, shape: tuple[int, ...], expected: str
) -> None:
    with pytest.raises(ShapeError, match=rf"expects pictures of \[N, {expected}\], got \[{', '.join(map(str, shape))}"):
        make_d()(torch.zeros(shape).double(), lod=lod)


def test_a_level_of_detail_the_network_does_not_have_is_refused(make_d: MakeD) -> None:
    with pytest.raises(ConfigError, match="lod: got 3, expected 0"):
        make_d()(torch.zeros(2, 3, 2, 2).double(), lod=3)


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [("mbstd_group", 0, ">= 1"), ("img_channels", 0, ">= 1, <= 4"), ("mbdisc_kernels", -1, ">= 0")],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: int, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"discriminator.{name}: got {value}, expected {limits}"):
        DiscriminatorConfig(**{name: value})


def test_statistics_maps_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mbstd_features: got 3, expected a divisor of the 8 channels"):
        Discriminator(dataclasses.replace(TINY_D, mbstd_features=3))
