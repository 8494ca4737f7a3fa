"""The discriminator against the plain network, its conditioning and its refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from limner.errors import ConfigError, ShapeError
from limner.losses.r1 import r1_penalty
from limner.papers.stylegan2 import Discriminator, DiscriminatorConfig
from papers.stylegan2 import plain_networks
from papers.stylegan2.conftest import TINY_D

MakeD = Callable[..., Discriminator]
ARCHITECTURES = ["orig", "skip", "resnet"]


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def plain_logits(
    discriminator: Discriminator,
    state: dict[str, Tensor],
    images: Tensor,
    c: Tensor | None,
    group: int,
    lod: float = 0.0,
) -> Tensor:
    config = discriminator.config
    return plain_networks.discriminator(
        state,
        images,
        c,
        architecture=config.architecture,
        blocks=discriminator.blocks[int(lod) :],
        group=group,
        num_features=config.mbstd_features,
        coarse=lod % 1,
    )


@pytest.mark.parametrize(
    ("settings", "published"),
    [
        ({"img_resolution": (1024, 1024), "channel_base": 16384}, 24_038_161),  # config E
        ({"img_resolution": (1024, 1024), "channel_base": 32768}, 29_012_513),  # config F
        ({"img_resolution": (256, 256), "channel_base": 16384}, 24_001_089),  # half width at 256
    ],
)
def test_parameter_counts_equal_the_published_ones(settings: dict, published: int) -> None:
    assert count(Discriminator(DiscriminatorConfig(**settings))) == published


@pytest.mark.parametrize("resolution", [(16, 16), (24, 16)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_those_of_the_plain_network(make_d: MakeD, architecture: str, resolution: tuple[int, int]) -> None:
    discriminator = make_d(architecture=architecture, img_resolution=resolution, img_channels=4, mbstd_features=2)
    images = torch.randn(8, 4, *resolution).double()
    logits = discriminator(images)
    assert logits.shape == (8, 1)
    torch.testing.assert_close(logits, plain_logits(discriminator, discriminator.state_dict(), images, None, 4))


def test_labels_are_projected_on_the_features(make_d: MakeD) -> None:
    """The logit is <features, mapped label> / sqrt(width)."""
    discriminator = make_d(c_dim=3)
    images, c = torch.randn(4, 3, 16, 16).double(), torch.eye(3)[[0, 1, 2, 0]].double()
    logits = discriminator(images, c)
    assert logits.shape == (4, 1)
    torch.testing.assert_close(logits, plain_logits(discriminator, discriminator.state_dict(), images, c, 4))
    assert not torch.allclose(discriminator(images, c.roll(1, 0)), logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradient_of_r1_equals_that_of_the_plain_network(make_d: MakeD, architecture: str) -> None:
    """Second order through every layer, minibatch standard deviation and projection, against torch's own."""
    discriminator = make_d(architecture=architecture, img_resolution=(8, 8), c_dim=2)
    images, c = torch.randn(4, 3, 8, 8).double().requires_grad_(), torch.eye(2)[[0, 1, 1, 0]].double()
    parameters = dict(discriminator.named_parameters())
    penalty = r1_penalty(discriminator(images, c), images)
    (inner,) = torch.autograd.grad(
        plain_logits(discriminator, parameters, images, c, 4).sum(), images, create_graph=True
    )
    expected = inner.square().sum((1, 2, 3))
    torch.testing.assert_close(penalty, expected)
    ours, theirs = (  # zeros for the biases behind the statistic, which move no gradient
        torch.autograd.grad(values.mean(), parameters.values(), materialize_grads=True)
        for values in (penalty, expected)
    )
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("resolution", [(16, 16), (24, 16)])
@pytest.mark.parametrize("lod", [0, 0.25, 1, 1.5, 2])
def test_a_growing_discriminator_gives_the_logits_of_the_plain_network_at_every_level(
    make_d: MakeD, lod: float, resolution: tuple[int, int]
) -> None:
    discriminator = make_d(architecture="orig", growing=True, img_resolution=resolution, c_dim=3)
    height, width = resolution
    images = torch.randn(8, 3, height >> int(lod), width >> int(lod)).double()
    c = torch.eye(3)[[0, 1, 2, 0, 1, 1, 2, 0]].double()
    logits = discriminator(images, c, lod=lod)
    assert logits.shape == (8, 1)
    torch.testing.assert_close(logits, plain_logits(discriminator, discriminator.state_dict(), images, c, 4, lod))


def test_the_gradient_of_r1_within_a_fade_equals_that_of_the_plain_network(make_d: MakeD) -> None:
    discriminator = make_d(architecture="orig", growing=True)
    images = torch.randn(4, 3, 8, 8).double().requires_grad_()
    parameters = dict(discriminator.named_parameters())
    penalty = r1_penalty(discriminator(images, lod=1.5), images)
    logits = plain_logits(discriminator, parameters, images, None, 4, 1.5)
    (inner,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    expected = inner.square().sum((1, 2, 3))
    torch.testing.assert_close(penalty, expected)
    ours, theirs = (
        torch.autograd.grad(values.mean(), parameters.values(), materialize_grads=True)
        for values in (penalty, expected)
    )
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("level", [1, 2])
def test_a_fade_begins_and_ends_without_a_jump(make_d: MakeD, level: int) -> None:
    """A picture made of 2x2 blocks is worth as much at the start of a fade as its half was before."""
    discriminator = make_d(architecture="orig", growing=True)
    half = torch.randn(4, 3, 16 >> level, 16 >> level).double()
    images = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    before, start = discriminator(half, lod=level), discriminator(images, lod=level - 1e-9)
    end, after = discriminator(images, lod=level - 1 + 1e-9), discriminator(images, lod=level - 1)
    torch.testing.assert_close(start, before, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(end, after, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(before, after, rtol=1e-3)


def test_a_level_of_detail_and_pictures_that_do_not_fit_it_are_refused(make_d: MakeD) -> None:
    growing = make_d(architecture="orig", growing=True)
    with pytest.raises(ShapeError, match=r"expects pictures of \[N, 3, 8, 8\], got \[2, 3, 16, 16\]"):
        growing(torch.zeros(2, 3, 16, 16), lod=1.5)
    with pytest.raises(ConfigError, match=r"lod: got 3, expected 0 \(full resolution\) to 2"):
        growing(torch.zeros(2, 3, 2, 2), lod=3)
    with pytest.raises(ConfigError, match="lod: got 1, expected 0: this discriminator does not grow"):
        make_d()(torch.zeros(2, 3, 8, 8), lod=1)


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_only_the_original_architecture_grows(architecture: str) -> None:
    with pytest.raises(ConfigError, match=rf"discriminator\.growing: got true with architecture '{architecture}'"):
        DiscriminatorConfig(architecture=architecture, growing=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"architecture": "orig"}, "16.fromrgb 16.conv0 16.conv1 8.conv0 8.conv1 4.conv 4.fc 4.out"),
        (
            {"architecture": "orig", "growing": True},
            "16.fromrgb 16.conv0 16.conv1 8.fromrgb 8.conv0 8.conv1 4.fromrgb 4.conv 4.fc 4.out",
        ),
        (
            {"architecture": "skip"},
            "16.fromrgb 16.conv0 16.conv1 8.fromrgb 8.conv0 8.conv1 4.fromrgb 4.conv 4.fc 4.out",
        ),
        (
            {"architecture": "resnet", "c_dim": 3},
            "16.fromrgb 16.conv0 16.conv1 16.skip 8.conv0 8.conv1 8.skip 4.conv 4.fc 4.out",
        ),
    ],
)
def test_layers_freeze_from_the_picture_inwards(make_d: MakeD, settings: dict, expected: str) -> None:
    discriminator = make_d(**settings)
    names = {module: name.removeprefix("b") for name, module in discriminator.named_modules()}
    assert [names[layer] for layer in discriminator.freezable_layers()] == expected.split()


def test_single_precision_is_within_rounding_of_double(make_d: MakeD) -> None:
    images = torch.randn(4, 3, 32, 32)
    single, double = (make_d(dtype=dtype, img_resolution=(32, 32)) for dtype in (torch.float32, torch.float64))
    logits, exact = single(images), double(images.double())
    assert logits.dtype == torch.float32
    assert ((logits - exact).norm() / exact.norm()).item() < 1e-5


def test_the_three_architectures_have_different_parts_and_logits(make_d: MakeD) -> None:
    made = {name: make_d(architecture=name) for name in ARCHITECTURES}
    fromrgb, skip = (
        {name: sum(key.endswith(end) for key in d.state_dict()) for name, d in made.items()}
        for end in ("fromrgb.weight", "skip.weight")
    )
    assert fromrgb == {"orig": 1, "skip": 3, "resnet": 1}
    assert skip == {"orig": 0, "skip": 0, "resnet": 2}
    logits = [d(torch.ones(1, 3, 16, 16)) for d in made.values()]
    assert not torch.allclose(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (12, 8)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_base_grid_works_down_to_a_single_block(make_d: MakeD, architecture: str, size: tuple[int, int]) -> None:
    discriminator = make_d(architecture=architecture, img_resolution=size)
    assert discriminator(torch.randn(2, 3, *size)).shape == (2, 1)


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


def test_pictures_and_labels_of_a_wrong_shape_are_refused(make_d: MakeD) -> None:
    discriminator = make_d(c_dim=3)
    with pytest.raises(ShapeError, match=r"expects pictures of \[N, 3, 16, 16\], got \[2, 3, 16, 8\]"):
        discriminator(torch.zeros(2, 3, 16, 8), torch.zeros(2, 3))
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
