"""The discriminator against the plain network at every level of detail, its conditioning and its refusals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from limner.errors import ConfigError, ShapeError
from limner.losses.r1 import r1_penalty
from limner.ops.growing import downsample_box, shrink
from limner.papers.stylegan import Discriminator, DiscriminatorConfig
from papers.stylegan import plain_networks
from papers.stylegan.conftest import TINY_D

MakeD = Callable[..., Discriminator]
LODS = [0.0, 0.25, 1.0, 1.5, 2.0]


def test_the_parameter_count_equals_the_published_one() -> None:
    network = Discriminator(DiscriminatorConfig(img_resolution=(1024, 1024)))
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_087_249


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("blur", [True, False])
@pytest.mark.parametrize("resolution", [(16, 16), (24, 16)])
def test_logits_equal_those_of_the_plain_network(
    make_d: MakeD, resolution: tuple[int, int], blur: bool, lod: float
) -> None:
    discriminator = make_d(img_resolution=resolution, img_channels=4, mbstd_features=2, blur=blur)
    images = torch.randn(8, 4, *(side >> math.floor(lod) for side in resolution)).double()
    expected = plain_networks.discriminator(
        discriminator.config, discriminator.state_dict(), images, None, group=4, lod=lod
    )
    logits = discriminator(images, lod=lod)
    assert logits.shape == (8, 1)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("lod", [0.0, 0.5])
def test_merged_kernels_change_nothing(make_d: MakeD, lod: float) -> None:
    images = torch.randn(4, 3, 16, 16).double()
    merged, apart = (make_d(fused_scale=fused)(images, lod=lod) for fused in (True, False))
    torch.testing.assert_close(merged, apart)


def test_a_label_picks_its_logit(make_d: MakeD) -> None:
    discriminator = make_d(c_dim=3)
    images, c = torch.randn(4, 3, 16, 16).double(), torch.eye(3)[[0, 1, 2, 0]].double()
    logits = discriminator(images, c)
    assert logits.shape == (4, 1)
    every = torch.stack([discriminator(images, torch.eye(3)[[k] * 4].double())[:, 0] for k in range(3)], 1)
    torch.testing.assert_close(logits[:, 0], every[range(4), [0, 1, 2, 0]])
    expected = plain_networks.discriminator(discriminator.config, discriminator.state_dict(), images, c, group=4)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("lod", [0.0, 0.5, 1.0])
def test_the_gradient_of_r1_equals_that_of_the_plain_network(make_d: MakeD, lod: float) -> None:
    """Second order through every layer, minibatch standard deviation and label, against torch's own."""
    discriminator = make_d(img_resolution=(8, 8), c_dim=2)
    side = 8 >> math.floor(lod)
    images, c = torch.randn(4, 3, side, side).double().requires_grad_(), torch.eye(2)[[0, 1, 1, 0]].double()
    parameters = dict(discriminator.named_parameters())
    penalty = r1_penalty(discriminator(images, c, lod=lod), images)
    plain = plain_networks.discriminator(discriminator.config, parameters, images, c, group=4, lod=lod)
    (inner,) = torch.autograd.grad(plain.sum(), images, create_graph=True)
    expected = inner.square().sum((1, 2, 3))
    torch.testing.assert_close(penalty, expected)
    ours, theirs = (  # zeros for the biases behind the statistic, and for the layers not in use
        torch.autograd.grad(values.mean(), parameters.values(), materialize_grads=True)
        for values in (penalty, expected)
    )
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, msg=lambda text, name=name: f"{name}: {text}")


def test_fading_begins_and_ends_without_a_jump(make_d: MakeD) -> None:
    discriminator, images = make_d(), torch.randn(4, 3, 16, 16).double()
    full, coarse = discriminator(images), discriminator(downsample_box(images), lod=1.0)
    torch.testing.assert_close(discriminator(shrink(images, 1e-9), lod=1e-9), full, rtol=1e-6, atol=1e-6)
    nearly = 1 - 1e-9
    torch.testing.assert_close(discriminator(shrink(images, nearly), lod=nearly), coarse, rtol=1e-6, atol=1e-6)


def test_single_precision_is_within_rounding_of_double(make_d: MakeD) -> None:
    images = torch.randn(4, 3, 32, 32)
    single, double = (make_d(dtype=dtype, img_resolution=(32, 32)) for dtype in (torch.float32, torch.float64))
    logits, exact = single(images), double(images.double())
    assert logits.dtype == torch.float32
    assert ((logits - exact).norm() / exact.norm()).item() < 1e-5


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (12, 8)])
def test_any_base_grid_works_down_to_a_single_block(make_d: MakeD, size: tuple[int, int]) -> None:
    assert make_d(img_resolution=size)(torch.randn(2, 3, *size).double()).shape == (2, 1)


def test_layers_are_counted_from_the_picture_inwards(make_d: MakeD) -> None:
    discriminator = make_d()
    names = {module: name for name, module in discriminator.named_modules()}
    assert [names[layer] for layer in discriminator.freezable_layers()] == [
        *("b16.fromrgb", "b16.conv0", "b16.conv1", "b8.fromrgb", "b8.conv0", "b8.conv1"),
        *("b4.fromrgb", "b4.conv", "b4.fc", "b4.out"),
    ]


def test_without_minibatch_statistics_a_logit_does_not_depend_on_the_batch(make_d: MakeD) -> None:
    images = torch.randn(4, 3, 16, 16).double()
    alone, together = make_d(mbstd_features=0), make_d()
    torch.testing.assert_close(alone(images)[:1], alone(images[:1]))
    assert not torch.allclose(together(images)[:1], together(images[:1]))


@pytest.mark.parametrize("world", [2, 4])
def test_strided_shares_of_a_batch_get_the_logits_of_the_whole_batch(make_d: MakeD, world: int) -> None:
    discriminator, images = make_d(), torch.randn(16, 3, 16, 16).double()
    full = discriminator(images)
    for rank in range(world):
        torch.testing.assert_close(discriminator(images[rank::world]), full[rank::world])


def test_pictures_labels_and_levels_that_do_not_fit_are_refused(make_d: MakeD) -> None:
    discriminator = make_d(c_dim=3)
    with pytest.raises(ShapeError, match=r"expects pictures of \[N, 3, 16, 16\], got \[2, 3, 16, 8\]"):
        discriminator(torch.zeros(2, 3, 16, 8), torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"expects pictures of \[N, 3, 8, 8\], got \[2, 3, 16, 16\]"):
        discriminator(torch.zeros(2, 3, 16, 16), torch.zeros(2, 3), lod=1.5)
    with pytest.raises(ConfigError, match=r"lod: got 3, expected 0 \(full resolution\) to 2"):
        discriminator(torch.zeros(2, 3, 2, 2), torch.zeros(2, 3), lod=3.0)
    for c in (None, torch.zeros(2, 4)):
        with pytest.raises(ShapeError, match=r"this discriminator is conditional: give labels c of \[2, 3\]"):
            discriminator(torch.zeros(2, 3, 16, 16), c)


@pytest.mark.parametrize(
    ("name", "value", "limits"), [("mbstd_group", 0, ">= 1"), ("img_channels", 0, ">= 1, <= 4"), ("c_dim", -1, ">= 0")]
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: int, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"discriminator.{name}: got {value}, expected {limits}"):
        DiscriminatorConfig(**{name: value})


def test_statistics_maps_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mbstd_features: got 3, expected a divisor of the 8 channels"):
        Discriminator(dataclasses.replace(TINY_D, mbstd_features=3))
