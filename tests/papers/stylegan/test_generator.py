"""The generator against the plain network at every level of detail, and the layouts and modes people rely on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.errors import ConfigError, ShapeError
from limner.ops.growing import upsample_nearest
from limner.papers.stylegan import Generator, GeneratorConfig
from limner.papers.stylegan.generator import Epilogue, num_channels
from papers.stylegan import plain_networks
from papers.stylegan.conftest import ROWS

MakeG = Callable[..., Generator]
LODS = [0.0, 0.25, 1.0, 1.5, 2.0]


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def noises_for(generator: Generator, count: int) -> list[Tensor]:
    return [torch.randn(count, 1, *shape).double() for shape in generator.noise_shapes]


def random_ws(generator: Generator, count: int) -> Tensor:
    return torch.randn(count, generator.num_ws, generator.w_dim).double()


def test_parameter_counts_equal_the_published_ones() -> None:
    generator = Generator(GeneratorConfig(img_resolution=(1024, 1024)))
    assert count(generator) == 26_219_627
    assert count(generator.mapping_network) == 2_101_248
    assert count(generator.synthesis_network) == 24_118_379


def test_widths_equal_the_table_of_the_official_networks() -> None:
    assert [num_channels(16384, 512, level) for level in range(9)] == [512] * 4 + [256, 128, 64, 32, 16]
    assert num_channels(8, 512, 5) == 1


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("row", ROWS)
def test_pictures_equal_those_of_the_plain_network(make_g: MakeG, row: str, lod: float) -> None:
    generator = make_g(img_channels=2, **ROWS[row])
    ws, noises = random_ws(generator, 3), noises_for(generator, 3)
    maps = noises or [None] * 6
    expected = plain_networks.synthesis(generator.config, generator.state_dict(), ws, maps, lod=lod)
    got = generator.synthesis_network(ws, maps, lod)
    assert got.shape == (3, 2, 16 >> math.floor(lod), 16 >> math.floor(lod))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("row", ["B", "E"])
@pytest.mark.parametrize("resolution", [(24, 16), (12, 20), (4, 4), (7, 5)])
def test_pictures_need_not_be_square(make_g: MakeG, row: str, resolution: tuple[int, int]) -> None:
    generator = make_g(img_resolution=resolution, **ROWS[row])
    ws, noises = random_ws(generator, 2), noises_for(generator, 2)
    maps = noises or [None] * 10
    expected = plain_networks.synthesis(generator.config, generator.state_dict(), ws, maps)
    torch.testing.assert_close(generator.synthesis(ws, noises=noises), expected)


@pytest.mark.parametrize("lod", [0.0, 0.5])
@pytest.mark.parametrize("row", ROWS)
def test_merged_kernels_change_nothing(make_g: MakeG, row: str, lod: float) -> None:
    merged, apart = (make_g(fused_scale=fused, **ROWS[row]) for fused in (True, False))
    ws = random_ws(merged, 2)
    torch.testing.assert_close(merged.synthesis(ws, lod=lod), apart.synthesis(ws, lod=lod))


@pytest.mark.parametrize("row", ROWS)
def test_gradients_equal_those_of_the_plain_network(make_g: MakeG, row: str) -> None:
    generator = make_g(**ROWS[row])
    ws, noises, probe = random_ws(generator, 2), noises_for(generator, 1), torch.randn(2, 3, 16, 16).double()
    maps = noises or [None] * 6
    parameters = dict(generator.synthesis_network.named_parameters(prefix="synthesis_network"))
    expected = plain_networks.synthesis(generator.config, parameters, ws, maps, lod=0.3)
    ours, theirs = (
        torch.autograd.grad((images * probe).sum(), parameters.values(), materialize_grads=True)
        for images in (generator.synthesis_network(ws, maps, 0.3), expected)
    )
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("row", ["B", "C", "E"])
def test_first_and_second_derivatives_of_the_whole_generator_are_right(make_g: MakeG, row: str) -> None:
    generator = make_g(img_resolution=(8, 8), **ROWS[row])
    ws = random_ws(generator, 2).requires_grad_()
    assert gradcheck(generator.synthesis, ws, fast_mode=True)
    assert gradgradcheck(generator.synthesis, ws, fast_mode=True)


def test_single_precision_is_within_rounding_of_double(make_g: MakeG) -> None:
    ws = torch.randn(4, 8, 5)
    single = make_g(dtype=torch.float32, img_resolution=(32, 32)).synthesis(ws)
    double = make_g(img_resolution=(32, 32)).synthesis(ws.double())
    assert single.dtype == torch.float32
    assert ((single - double).norm() / double.norm()).item() < 1e-5


@pytest.mark.parametrize("level", [1.0, 2.0])
def test_fading_begins_and_ends_without_a_jump(make_g: MakeG, level: float) -> None:
    generator = make_g()
    ws = random_ws(generator, 2)
    at_level = generator.synthesis(ws, lod=level)
    for near in (level - 1e-9, level + 1e-9) if level < 2 else (level - 1e-9,):
        torch.testing.assert_close(generator.synthesis(ws, lod=near), at_level, rtol=1e-6, atol=1e-6)


def test_a_fade_is_a_straight_line_between_its_ends(make_g: MakeG) -> None:
    generator = make_g()
    ws = random_ws(generator, 2)
    new, half, old = (generator.synthesis(ws, lod=lod) for lod in (0.0, 0.25, 1.0))
    torch.testing.assert_close(half, 0.75 * new + 0.25 * old)


def test_pictures_are_always_of_full_size(make_g: MakeG) -> None:
    generator = make_g()
    ws, noises = random_ws(generator, 1), noises_for(generator, 1)
    for lod in LODS:
        images = generator.synthesis(ws, noises=noises, lod=lod)
        small = generator.synthesis_network(ws, noises, lod)
        assert images.shape == (1, 3, 16, 16)
        torch.testing.assert_close(images, upsample_nearest(small, 2 ** math.floor(lod)))


def test_a_generator_makes_pictures_at_its_own_level_of_detail_unless_told(make_g: MakeG) -> None:
    generator = make_g()
    ws = random_ws(generator, 1)
    coarse = generator.synthesis(ws, lod=1.5)
    assert not torch.allclose(generator.synthesis(ws), coarse)
    generator.lod = 1.5
    assert torch.equal(generator.synthesis(ws), coarse)


@pytest.mark.parametrize("lod", [-0.5, 2.5])
def test_a_level_of_detail_it_does_not_have_is_refused(make_g: MakeG, lod: float) -> None:
    generator = make_g()
    with pytest.raises(ConfigError, match=rf"lod: got {lod}, expected 0 \(full resolution\) to 2"):
        generator.synthesis(random_ws(generator, 1), lod=lod)


def test_layers_beyond_the_level_of_detail_do_nothing(make_g: MakeG) -> None:
    generator = make_g()
    ws = random_ws(generator, 1)
    before = generator.synthesis(ws, lod=1.0)
    for layer in range(6):
        moved = ws.clone()
        moved[:, layer] += 1
        assert torch.equal(generator.synthesis(moved, lod=1.0), before) == (layer >= 4), layer


@pytest.mark.parametrize("replaced", range(6))
def test_replacing_one_w_changes_its_layer_and_those_after_it_and_none_before(make_g: MakeG, replaced: int) -> None:
    generator = make_g()
    ws = random_ws(generator, 1)
    other = ws.clone()
    other[:, replaced] = torch.randn(5).double()
    noises, seen = noises_for(generator, 1), []
    for module in generator.synthesis_network.layers():
        module.register_forward_hook(lambda _, __, output: seen.append(output))
    generator.synthesis(ws, noises=noises)
    generator.synthesis(other, noises=noises)
    same = [torch.equal(a, b) for a, b in zip(seen[:6], seen[6:], strict=True)]
    assert same == [layer < replaced for layer in range(6)]


def test_noise_has_a_strength_for_every_channel(make_g: MakeG) -> None:
    generator = make_g(img_resolution=(4, 4))
    layer = generator.synthesis_network.layers()[1]
    assert isinstance(layer, Epilogue)
    torch.nn.init.zeros_(layer.noise_strength)
    ws, seen = random_ws(generator, 1), []
    layer.register_forward_hook(lambda _, __, output: seen.append(output[0]))
    noises = noises_for(generator, 1)
    generator.synthesis(ws, noises=noises)
    with torch.no_grad():
        layer.noise_strength[3] = 2.0
    generator.synthesis(ws, noises=noises)
    changed = [not torch.equal(a, b) for a, b in zip(*seen, strict=True)]
    assert changed == [channel == 3 for channel in range(8)]


def test_features_have_the_deviation_and_the_mean_that_the_style_gives_them(make_g: MakeG) -> None:
    """AdaIN (StyleGAN paper, Equation 1): over pixels every channel has deviation |1 + s0| and mean s1."""
    generator = make_g()
    ws, seen = random_ws(generator, 2), []
    layer = generator.synthesis_network.layers()[5]
    layer.register_forward_hook(lambda _, __, output: seen.append(output))
    generator.synthesis(ws)
    assert layer.affine is not None
    scale, shift = layer.affine(ws[:, 5]).chunk(2, 1)
    torch.testing.assert_close(seen[0].mean((2, 3)), shift)
    torch.testing.assert_close(seen[0].std((2, 3), unbiased=False), (scale + 1).abs(), rtol=1e-4, atol=1e-4)


def test_it_starts_from_a_constant_of_ones_without_noise() -> None:
    generator = Generator(GeneratorConfig(img_resolution=(8, 8), channel_base=64, z_dim=8, w_dim=8, mapping_layers=1))
    assert torch.equal(generator.synthesis_network.block("b4").input.const, torch.ones(16, 4, 4))
    for layer in generator.synthesis_network.layers():
        assert not layer.noise_strength.any()
        assert not layer.bias.any()
        assert layer.affine is not None
        assert layer.affine.bias is not None
        assert not layer.affine.bias.any()


def test_a_traditional_input_starts_at_a_quarter_of_he_s_deviation() -> None:
    config = GeneratorConfig(img_resolution=(8, 8), channel_base=64, const_input=False, z_dim=512, w_dim=512)
    made = Generator(config).synthesis_network.block("b4").input.dense(torch.randn(64, 512))
    assert made.std().item() == pytest.approx(math.sqrt(2) / 4, rel=0.05)


def test_the_mapping_is_followed_by_truncation_in_the_layers_before_the_cutoff(make_g: MakeG) -> None:
    generator, z = make_g(), torch.randn(3, 6).double()
    full = generator.mapping(z)
    assert torch.equal(full, full[:, :1].expand(3, 6, 5))
    ws = generator.mapping(z, truncation_psi=0.7, truncation_cutoff=4)
    torch.testing.assert_close(ws[:, :4], generator.w_avg + 0.7 * (full[:, :4] - generator.w_avg))
    assert torch.equal(ws[:, 4:], full[:, 4:])
    torch.testing.assert_close(generator.mapping(z, truncation_psi=-1.0), 2 * generator.w_avg - full)


def test_the_average_of_w_moves_by_a_two_hundredth(make_g: MakeG) -> None:
    generator = make_g()
    before, mean = generator.w_avg.clone(), torch.randn(5).double()
    generator.update_w_avg(mean)
    torch.testing.assert_close(generator.w_avg, 0.995 * before + 0.005 * mean)


def test_noise_maps_are_two_a_resolution_and_may_end_with_the_layers_in_use(make_g: MakeG) -> None:
    generator = make_g()
    assert generator.noise_shapes == ((4, 4), (4, 4), (8, 8), (8, 8), (16, 16), (16, 16))
    assert make_g(use_noise=False).noise_shapes == ()
    ws, noises = random_ws(generator, 1), noises_for(generator, 1)
    expected = generator.synthesis(ws, noises=noises, lod=1.5)
    torch.testing.assert_close(generator.synthesis(ws, noises=noises[:4], lod=1.5), expected)
    with pytest.raises(ShapeError, match="synthesis expects 6 noise maps"):
        generator.synthesis(ws, noises=noises[:3], lod=1.5)
    with pytest.raises(ShapeError, match="synthesis expects 6 noise maps"):
        generator.synthesis(ws, noises=noises[:4])


def test_ws_noise_maps_and_modes_that_do_not_fit_are_refused(make_g: MakeG) -> None:
    generator = make_g()
    ws, noises = random_ws(generator, 1), noises_for(generator, 1)
    with pytest.raises(ShapeError, match=r"synthesis expects ws of \[N, 6, 5\], got \[1, 5, 5\]"):
        generator.synthesis(ws[:, :5])
    with pytest.raises(
        ShapeError, match=r"noise maps \[N or 1, 1, H, W\] of \(H, W\) \(\(4, 4\), .*got .*\(1, 1, 1, 1\)"
    ):
        generator.synthesis(ws, noises=[torch.zeros(1, 1, 1, 1), *noises[1:]])
    with pytest.raises(ShapeError, match="synthesis expects 6 noise maps"):
        generator.synthesis(ws, noises=[*noises, noises[-1]])
    with pytest.raises(ConfigError, match="noise_mode: got 'constant', expected one of const, random, none"):
        generator.synthesis(ws, noise_mode="constant")  # type: ignore[arg-type]


def test_a_network_without_styles_takes_one_w(make_g: MakeG) -> None:
    generator = make_g(**ROWS["B"])
    assert generator.num_ws == 1
    assert generator.mapping(torch.randn(2, 6)).shape == (2, 1, 6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("img_channels", 5, "got 5, expected >= 1, <= 4"),
        ("z_dim", 0, "got 0, expected >= 1"),
        ("channel_base", 0, "got 0, expected >= 1"),
        ("mapping_layers", -1, "got -1, expected >= 0"),
        ("w_avg_beta", 1.5, "got 1.5, expected >= 0, <= 1"),
        ("use_styles", False, "got false with const_input true, expected true: nothing would read w"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=f"generator.{name}: {message}"):
        GeneratorConfig(**{name: value})


def test_a_w_for_every_layer_has_an_average_for_every_layer() -> None:
    config = GeneratorConfig(
        img_resolution=(16, 16), z_dim=5, w_dim=7, channel_max=8, mapping_layers=2, per_layer_w=True
    )
    G = Generator(config)
    assert (G.num_ws, config.num_ws, G.w_avg.shape) == (6, 6, (6, 7))
    z = torch.randn(3, 5)
    ws = G.mapping(z)
    assert ws.shape == (3, 6, 7)
    G.update_w_avg(ws.mean(0))
    torch.testing.assert_close(G.w_avg, (1 - config.w_avg_beta) * ws.detach().mean(0))
    half = G.mapping(z, truncation_psi=0.5, truncation_cutoff=2)
    torch.testing.assert_close(half[:, :2], (G.w_avg[:2] + ws[:, :2]) / 2)
    assert torch.equal(half[:, 2:], ws[:, 2:])


@pytest.mark.parametrize("changes", [{"mapping_layers": 0}, {"use_styles": False, "const_input": False}])
def test_a_w_for_every_layer_needs_layers_that_make_and_read_it(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"generator\.per_layer_w: got true without"):
        GeneratorConfig(per_layer_w=True, **changes)


def test_a_tanh_keeps_pictures_within_one() -> None:
    plain, bounded = (
        Generator(GeneratorConfig(img_resolution=(16, 16), z_dim=5, w_dim=7, channel_max=8, tanh_output=tanh))
        for tanh in (False, True)
    )
    bounded.load_state_dict(plain.state_dict())
    ws = 20 * torch.randn(2, 6, 7)
    torch.testing.assert_close(bounded.synthesis(ws), torch.tanh(plain.synthesis(ws)))
