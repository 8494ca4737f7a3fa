"""The generator against the plain network at every level of detail, and what growing promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.errors import ConfigError, ShapeError
from limner.papers.progan import Generator, GeneratorConfig
from limner.papers.progan.generator import num_channels
from papers.progan import plain_networks

MakeG = Callable[..., Generator]
OPTIONS = [
    {},
    {"normalization": "none"},
    {"equalized": False, "tanh": True},
    {"normalization": "batch", "activation": "relu", "tanh": True, "equalized": False},
    {"activation": "relu"},
]
LODS = [0, 0.25, 1, 1.5, 2]


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def plain_images(generator: Generator, state: dict[str, Tensor], ws: Tensor, lod: float) -> Tensor:
    config, network = generator.config, generator.synthesis_network
    return plain_networks.generator(
        state,
        ws[:, 0],
        blocks=network.blocks,
        grid=network.b4.grid,
        lod=lod,
        normalization=config.normalization,
        activation=config.activation,
        tanh=config.tanh,
        equalized=config.equalized,
    )


def latents(generator: Generator, count: int = 3) -> Tensor:
    return torch.randn(count, 1, generator.w_dim, generator=torch.Generator().manual_seed(2)).double()


def test_the_parameter_count_equals_the_published_one() -> None:
    assert count(Generator(GeneratorConfig())) == 23_079_115


def test_widths_equal_the_table_of_the_official_networks() -> None:
    assert [num_channels(16384, 512, level) for level in range(9)] == [512] * 4 + [256, 128, 64, 32, 16]
    assert [num_channels(4096, 512, level) for level in range(6)] == [512, 512, 256, 128, 64, 32]  # Table 1
    assert [num_channels(8192, 128, level) for level in range(4)] == [128] * 4  # CIFAR-10


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pictures_equal_those_of_the_plain_network(make_g: MakeG, options: dict[str, Any], lod: float) -> None:
    generator = make_g(img_resolution=(24, 16), img_channels=2, **options)
    ws = latents(generator)
    got = generator.synthesis(ws, lod=lod)
    assert got.shape == (3, 2, 24, 16)
    torch.testing.assert_close(got, plain_images(generator, generator.state_dict(), ws, lod))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_merged_convolution_makes_the_pictures_of_the_two_steps(make_g: MakeG, options: dict[str, Any]) -> None:
    fused, apart = (make_g(fused_scale=fused_scale, **options) for fused_scale in (True, False))
    for lod in LODS:
        torch.testing.assert_close(*(g.synthesis(latents(g), lod=lod) for g in (fused, apart)))


@pytest.mark.parametrize("lod", [0, 0.5, 1])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_of_every_parameter_equal_those_of_the_plain_network(
    make_g: MakeG, options: dict[str, Any], lod: float
) -> None:
    generator = make_g(img_resolution=(8, 8), **options)
    ws, probe = latents(generator), torch.randn(3, 3, 8, 8).double()
    parameters = dict(generator.named_parameters())
    gradients = [
        torch.autograd.grad((images * probe).sum(), parameters.values(), materialize_grads=True)
        for images in (generator.synthesis(ws, lod=lod), plain_images(generator, parameters, ws, lod))
    ]
    for name, ours, theirs in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


def test_first_and_second_derivatives_of_the_whole_generator_are_right(make_g: MakeG) -> None:
    generator = make_g(img_resolution=(8, 8))
    ws = latents(generator, 2).requires_grad_()
    assert gradcheck(lambda ws: generator.synthesis(ws, lod=0.5), ws, fast_mode=True)
    assert gradgradcheck(lambda ws: generator.synthesis(ws, lod=0.5), ws, fast_mode=True)


def test_single_precision_is_within_rounding_of_double(make_g: MakeG) -> None:
    single, double = (make_g(dtype=dtype, img_resolution=(32, 32)) for dtype in (torch.float32, torch.float64))
    ws = latents(double)
    images, exact = single.synthesis(ws.float()), double.synthesis(ws)
    assert images.dtype == torch.float32
    assert ((images - exact).norm() / exact.norm()).item() < 1e-5


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_that_fades_in_starts_from_the_picture_before_it_and_ends_at_its_own(make_g: MakeG, level: int) -> None:
    """From above, lod -> n adds the next block with weight 0; from below, the block fading in has weight 1."""
    generator, tiny = make_g(), 1e-9
    ws = latents(generator)
    whole = generator.synthesis(ws, lod=level)
    for lod in [level - tiny, level + tiny] if level < 2 else [level - tiny]:
        torch.testing.assert_close(generator.synthesis(ws, lod=lod), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(generator.synthesis(ws, lod=tiny), generator.synthesis(ws, lod=0), rtol=0, atol=1e-6)


def test_a_fade_is_a_straight_line_between_two_levels(make_g: MakeG) -> None:
    generator = make_g()
    ws = latents(generator)
    finer, coarser, between = (generator.synthesis(ws, lod=lod) for lod in (0, 1, 0.3))
    torch.testing.assert_close(between, 0.7 * finer + 0.3 * coarser)


def test_below_full_resolution_pixels_come_in_blocks_and_training_sees_one_of_each(make_g: MakeG) -> None:
    generator = make_g()
    ws = latents(generator)
    small = generator.synthesis_network(ws, 1.5)
    assert small.shape == (3, 3, 8, 8)
    full = generator.synthesis(ws, lod=1.5)
    assert full.shape == (3, 3, 16, 16)
    assert torch.equal(full[:, :, ::2, 1::2], small)


def test_the_level_of_detail_is_the_generator_s_own_unless_given(make_g: MakeG) -> None:
    generator = make_g()
    ws = latents(generator)
    full = generator.synthesis(ws)
    assert torch.equal(full, generator.synthesis(ws, lod=0))
    generator.lod = 1.25
    assert torch.equal(generator.synthesis(ws), generator.synthesis(ws, lod=1.25))
    assert torch.equal(generator.synthesis(ws, lod=0.0), full)


@pytest.mark.parametrize("lod", [-0.5, 2.01])
def test_a_level_of_detail_the_network_does_not_have_is_refused(make_g: MakeG, lod: float) -> None:
    with pytest.raises(ConfigError, match=f"lod: got {lod}, expected 0"):
        make_g().synthesis(torch.zeros(1, 1, 6).double(), lod=lod)


def test_layers_not_yet_in_use_take_no_part(make_g: MakeG) -> None:
    generator = make_g()
    generator.synthesis(latents(generator), lod=1).sum().backward()
    moved = {name.split(".")[1] for name, parameter in generator.named_parameters() if parameter.grad is not None}
    assert moved == {"b4", "b8"}
    assert generator.synthesis_network.b4.torgb.weight.grad is None
    generator.zero_grad()
    generator.synthesis(latents(generator), lod=0.5).sum().backward()
    torgb = [name for name in generator.synthesis_network.blocks if _torgb(generator, name).grad is not None]
    assert torgb == ["b8", "b16"]


def _torgb(generator: Generator, name: str) -> Tensor:
    weight = generator.synthesis_network.block(name).torgb.weight
    assert isinstance(weight, Tensor)
    return weight


def test_w_is_latent_and_label_on_the_hypersphere(make_g: MakeG) -> None:
    generator = make_g(c_dim=2)
    z, c = torch.randn(4, 6).double(), torch.eye(2)[[0, 1, 1, 0]]
    ws = generator.mapping(z, c)
    assert (ws.shape, generator.num_ws, generator.w_dim) == ((4, 1, 8), 1, 8)
    torch.testing.assert_close(ws[:, 0].norm(dim=1), torch.full((4,), 8.0).double().sqrt())  # mean square 1
    joined = torch.cat([z, c.double()], 1)
    torch.testing.assert_close(torch.cosine_similarity(ws[:, 0], joined), torch.ones(4).double())
    assert torch.equal(make_g(c_dim=2, normalize_latents=False).mapping(z, c)[:, 0], joined)


def test_truncation_goes_to_the_origin(make_g: MakeG) -> None:
    generator, z = make_g(), torch.randn(3, 6).double()
    ws = generator.mapping(z)
    assert not generator.w_avg.any()
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.7), 0.7 * ws)
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.7, truncation_cutoff=1), 0.7 * ws)
    assert torch.equal(generator.mapping(z, truncation_psi=0.7, truncation_cutoff=0), ws)


@pytest.mark.parametrize("equalized", [True, False])
def test_initial_weights_have_the_size_of_he_s_initializer(equalized: bool) -> None:
    """Standard deviation sqrt(2 / fan in) as used, in the dense layer over a further sqrt(pixels); toRGB gain 1."""
    torch.manual_seed(0)
    config = GeneratorConfig(img_resolution=(8, 8), channel_max=64, z_dim=64, equalized=equalized)
    network = Generator(config).synthesis_network
    convolution, start, torgb = network.b8.conv0, network.b4.dense, network.b8.torgb
    used = {
        "conv": (convolution.weight * convolution.weight_gain, (2 / (64 * 9)) ** 0.5),
        "dense": (start.weight * start.weight_gain, (2 / 64) ** 0.5 / 4),
        "torgb": (torgb.weight * torgb.weight_gain, (1 / 64) ** 0.5),
    }
    for name, (weight, deviation) in used.items():
        assert weight.std().item() == pytest.approx(deviation, rel=0.1), name
    assert (convolution.weight_gain == 1) is not equalized
    assert not network.b4.bias.any()


def test_with_pixel_norm_every_pixel_s_features_have_mean_square_one(make_g: MakeG) -> None:
    generator = make_g()
    seen: list[Tensor] = []
    for name in ("b4.conv", "b8.conv0", "b16.conv1"):
        generator.synthesis_network.get_submodule(name).register_forward_hook(lambda *args: seen.append(args[2]))
    generator.synthesis(latents(generator))
    assert [tuple(x.shape[2:]) for x in seen] == [(4, 4), (8, 8), (16, 16)]
    for x in seen:
        torch.testing.assert_close(x.square().mean(1), torch.ones_like(x[:, 0]), rtol=1e-6, atol=1e-6)


def test_batch_norm_in_evaluation_uses_the_statistics_of_training(make_g: MakeG) -> None:
    generator = make_g(normalization="batch", activation="relu")
    ws = latents(generator, 8)
    for _ in range(200):
        generator.synthesis(ws)
    trained = generator.synthesis(ws)
    generator.eval()
    torch.testing.assert_close(generator.synthesis(ws), trained, rtol=0.2, atol=0.2)  # the variance is unbiased there
    torch.testing.assert_close(generator.synthesis(ws)[:1], generator.synthesis(ws[:1]))


def test_the_tanh_ends_inside_the_range_of_pictures(make_g: MakeG) -> None:
    generator = make_g(tanh=True)
    assert generator.synthesis(10 * latents(generator)).abs().max() <= 1


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (6, 4), (32, 24)])
def test_any_base_grid_works_down_to_a_single_block(make_g: MakeG, size: tuple[int, int]) -> None:
    assert make_g(img_resolution=size)(torch.randn(1, 6)).shape == (1, 3, *size)


def test_noise_maps_and_modes_that_do_not_fit_are_refused(make_g: MakeG) -> None:
    generator = make_g()
    ws = latents(generator)
    assert generator.noise_shapes == ()
    assert torch.equal(generator.synthesis(ws, noises=[]), generator.synthesis(ws, noise_mode="none"))
    with pytest.raises(ShapeError, match="synthesis expects 0 noise maps"):
        generator.synthesis(ws, noises=[torch.zeros(1, 1, 4, 4)])
    with pytest.raises(ConfigError, match="noise_mode: got 'constant', expected one of const, random, none"):
        generator.synthesis(ws, noise_mode="constant")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "limits"), [("img_channels", 5, ">= 1, <= 4"), ("z_dim", 0, ">= 1"), ("c_dim", -1, ">= 0")]
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"generator.{name}: got {value}, expected {limits}"):
        GeneratorConfig(**{name: value})
