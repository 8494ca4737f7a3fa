"""The generator against the plain networks, and the layouts and modes that everybody relies on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from limner.errors import ConfigError, ShapeError
from limner.papers.stylegan2 import Generator, GeneratorConfig
from limner.papers.stylegan2.generator import SynthesisLayer, ToRGB, num_channels
from papers.stylegan2 import plain_networks

MakeG = Callable[..., Generator]
ARCHITECTURES = ["orig", "skip", "resnet"]


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def plain_images(generator: Generator, state: dict[str, Tensor], ws: Tensor, noises: list[Tensor | None]) -> Tensor:
    blocks = generator.synthesis_network.blocks
    architecture = generator.config.architecture
    return plain_networks.synthesis(state, ws, noises, architecture=architecture, blocks=blocks)


def plain_growing(
    generator: Generator, state: dict[str, Tensor], ws: Tensor, noises: list[Tensor], lod: float
) -> Tensor:
    return plain_networks.growing_synthesis(state, ws, noises, blocks=generator.synthesis_network.blocks, lod=lod)


def noises_for(generator: Generator, count: int) -> list[Tensor]:
    return [torch.randn(count, 1, *shape).double() for shape in generator.noise_shapes]


@pytest.mark.parametrize(
    ("settings", "published"),
    [
        ({"img_resolution": (1024, 1024), "channel_base": 16384}, 24_900_764),  # config E
        ({"img_resolution": (1024, 1024), "channel_base": 32768}, 30_370_060),  # config F
        ({"img_resolution": (256, 256), "channel_base": 16384}, 24_767_458),  # half width at 256
        ({"img_resolution": (256, 256), "channel_base": 16384, "mapping_layers": 2}, 23_191_522),
    ],
)
def test_parameter_counts_equal_the_published_ones(settings: dict, published: int) -> None:
    assert count(Generator(GeneratorConfig(**settings))) == published


def test_widths_equal_the_table_of_the_official_networks() -> None:
    assert [num_channels(32768, 512, level) for level in range(9)] == [512] * 5 + [256, 128, 64, 32]
    assert [num_channels(16384, 512, level) for level in range(9)] == [512] * 4 + [256, 128, 64, 32, 16]
    assert num_channels(8, 512, 5) == 1


@pytest.mark.parametrize("resolution", [(16, 16), (24, 16), (12, 20)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pictures_equal_those_of_the_plain_network(
    make_g: MakeG, architecture: str, resolution: tuple[int, int]
) -> None:
    generator = make_g(architecture=architecture, img_resolution=resolution, img_channels=2)
    ws, noises = torch.randn(3, generator.num_ws, 5).double(), noises_for(generator, 3)
    expected = plain_images(generator, generator.state_dict(), ws, noises)
    got = generator.synthesis(ws, noises=noises)
    assert got.shape == (3, 2, *resolution)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_path_length_s_gradient_equals_that_of_the_plain_network(make_g: MakeG, architecture: str) -> None:
    """Second order through every layer: d/dtheta of |d(image . y)/dw|^2."""
    generator = make_g(architecture=architecture, img_resolution=(8, 8))
    ws, noises = torch.randn(2, generator.num_ws, 5).double().requires_grad_(), noises_for(generator, 1)
    probe = torch.randn(2, 3, 8, 8).double()
    parameters = dict(generator.synthesis_network.named_parameters(prefix="synthesis_network"))
    gradients = []
    for images in (generator.synthesis(ws, noises=noises), plain_images(generator, parameters, ws, noises)):
        (inner,) = torch.autograd.grad((images * probe).sum(), ws, create_graph=True)
        lengths = inner.square().sum(2).mean(1).sqrt()
        gradients.append(
            torch.autograd.grad((lengths - 1).square().mean(), parameters.values(), materialize_grads=True)
        )
    for name, ours, theirs in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


def test_first_and_second_derivatives_of_the_whole_generator_are_right(make_g: MakeG) -> None:
    generator, ws = make_g(img_resolution=(8, 8)), torch.randn(2, 4, 5).double().requires_grad_()
    assert gradcheck(generator.synthesis, ws, fast_mode=True)
    assert gradgradcheck(generator.synthesis, ws, fast_mode=True)


def test_single_precision_is_within_rounding_of_double(make_g: MakeG) -> None:
    ws = torch.randn(4, 8, 5)
    single = make_g(dtype=torch.float32, img_resolution=(32, 32)).synthesis(ws)
    double = make_g(img_resolution=(32, 32)).synthesis(ws.double())
    assert single.dtype == torch.float32
    assert ((single - double).norm() / double.norm()).item() < 1e-6


def test_the_three_architectures_have_different_parts_and_pictures(make_g: MakeG) -> None:
    made = {name: make_g(architecture=name) for name in ARCHITECTURES}
    torgb, skip = (
        {name: sum(key.endswith(end) for key in g.state_dict()) for name, g in made.items()}
        for end in ("torgb.weight", "skip.weight")
    )
    assert torgb == {"orig": 1, "skip": 3, "resnet": 1}
    assert skip == {"orig": 0, "skip": 0, "resnet": 2}
    assert {g.num_ws for g in made.values()} == {6}
    images = [g.synthesis(torch.ones(1, 6, 5).double()) for g in made.values()]
    assert not torch.allclose(images[0], images[1])
    assert not torch.allclose(images[0], images[2])


@pytest.mark.parametrize("resolution", [(16, 16), (24, 16), (12, 20)])
@pytest.mark.parametrize("lod", [0, 0.25, 1, 1.5, 2])
def test_a_growing_generator_makes_the_pictures_of_the_plain_network_at_every_level(
    make_g: MakeG, lod: float, resolution: tuple[int, int]
) -> None:
    generator = make_g(architecture="orig", growing=True, img_resolution=resolution, img_channels=2)
    ws, noises = torch.randn(3, 6, 5).double(), noises_for(generator, 3)
    expected = plain_growing(generator, generator.state_dict(), ws, noises, lod)
    for given in (noises, noises[: 5 - 2 * int(lod)]):  # maps of all layers, or of those in use
        got = generator.synthesis(ws, noises=given, lod=lod)
        assert got.shape == (3, 2, *resolution)
        torch.testing.assert_close(got, expected)
    size = tuple(side >> int(lod) for side in resolution)
    assert generator.synthesis_network(ws, noises, lod).shape == (3, 2, *size)


@pytest.mark.parametrize("lod", [0.0, 1.5])
def test_the_path_length_s_gradient_of_a_growing_generator_equals_that_of_the_plain_network(
    make_g: MakeG, lod: float
) -> None:
    generator = make_g(architecture="orig", growing=True)
    ws, noises = torch.randn(2, 6, 5).double().requires_grad_(), noises_for(generator, 1)
    probe = torch.randn(2, 3, 16, 16).double()
    parameters = dict(generator.synthesis_network.named_parameters(prefix="synthesis_network"))
    gradients = []
    for images in (
        generator.synthesis(ws, noises=noises, lod=lod),
        plain_growing(generator, parameters, ws, noises, lod),
    ):
        (inner,) = torch.autograd.grad((images * probe).sum(), ws, create_graph=True)
        lengths = inner.square().sum(2).mean(1).sqrt()
        gradients.append(
            torch.autograd.grad((lengths - 1).square().mean(), parameters.values(), materialize_grads=True)
        )
    for name, ours, theirs in zip(parameters, *gradients, strict=True):
        torch.testing.assert_close(ours, theirs, msg=lambda text, name=name: f"{name}: {text}")


def test_a_growing_generator_at_full_resolution_is_the_one_that_does_not_grow(make_g: MakeG) -> None:
    growing, fixed = make_g(architecture="orig", growing=True), make_g(architecture="orig")
    fixed.load_state_dict({name: growing.state_dict()[name] for name in fixed.state_dict()})
    extra = set(growing.state_dict()) - set(fixed.state_dict())
    assert {name.split(".")[1] for name in extra} == {"b4", "b8"}
    assert {name.split(".")[2] for name in extra} == {"torgb"}
    ws = torch.randn(2, 6, 5).double()
    assert torch.equal(growing.synthesis(ws), fixed.synthesis(ws))


@pytest.mark.parametrize("level", [1, 2])
def test_a_fade_begins_at_the_coarser_picture_and_ends_at_the_finer_one_without_a_jump(
    make_g: MakeG, level: int
) -> None:
    generator, ws = make_g(architecture="orig", growing=True), torch.randn(2, 6, 5).double()
    coarse, fine = generator.synthesis(ws, lod=level), generator.synthesis(ws, lod=level - 1)
    size = 2**level
    assert torch.equal(coarse, coarse[:, :, ::size, ::size].repeat_interleave(size, 2).repeat_interleave(size, 3))
    for alpha in (1e-6, 0.3, 1 - 1e-6):
        faded = generator.synthesis(ws, lod=level - alpha)
        torch.testing.assert_close(faded, coarse + (fine - coarse) * alpha, rtol=1e-9, atol=1e-9)


def test_a_growing_generator_makes_by_itself_what_its_weights_are_trained_to(make_g: MakeG) -> None:
    generator, ws = make_g(architecture="orig", growing=True), torch.randn(2, 6, 5).double()
    assert torch.equal(generator.synthesis(ws), generator.synthesis(ws, lod=0))
    generator.lod = 1.5
    assert torch.equal(generator.synthesis(ws), generator.synthesis(ws, lod=1.5))
    assert not torch.equal(generator.synthesis(ws), generator.synthesis(ws, lod=0))
    assert generator.synthesis(ws, noise_mode="random").shape == (2, 3, 16, 16)


def test_a_level_of_detail_that_a_generator_does_not_have_is_refused(make_g: MakeG) -> None:
    ws = torch.zeros(1, 6, 5).double()
    with pytest.raises(ConfigError, match=r"lod: got 0\.5, expected 0: this generator does not grow; use a growing"):
        make_g(architecture="orig").synthesis(ws, lod=0.5)
    growing = make_g(architecture="orig", growing=True)
    for lod in (-0.5, 2.5):
        with pytest.raises(ConfigError, match=rf"lod: got {lod}, expected 0 \(full resolution\) to 2"):
            growing.synthesis(ws, lod=lod)
    with pytest.raises(ShapeError, match="synthesis expects 5 noise maps"):
        growing.synthesis(ws, noises=noises_for(growing, 1)[:2], lod=1)


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_only_the_original_architecture_grows(architecture: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"generator\.growing: got true with architecture '{architecture}', expected 'orig'"
    ):
        GeneratorConfig(architecture=architecture, growing=True)  # type: ignore[arg-type]


def inputs_of_layers(generator: Generator, ws: Tensor) -> dict[str, Tensor]:
    """The w that every convolution and toRGB receives."""
    seen: dict[str, Tensor] = {}
    for name, module in generator.synthesis_network.named_modules():
        if isinstance(module, SynthesisLayer | ToRGB):
            module.register_forward_pre_hook(lambda _, args, name=name: seen.__setitem__(name, args[1]))
    generator.synthesis(ws)
    return seen


def test_styles_reach_layers_as_in_the_official_networks(make_g: MakeG) -> None:
    """Block 2^k: conv0 takes style 2k - 5, conv1 2k - 4, toRGB 2k - 3, which it shares with the next conv0."""
    generator = make_g(img_resolution=(32, 32))
    assert generator.num_ws == 2 * 5 - 2
    ws = torch.arange(8.0).double()[None, :, None].expand(1, 8, 5)
    index = {name: int(w[0, 0]) for name, w in inputs_of_layers(generator, ws).items()}
    expected = {"b4.conv1": 0, "b4.torgb": 1}
    for k in (3, 4, 5):
        expected |= {f"b{2**k}.conv0": 2 * k - 5, f"b{2**k}.conv1": 2 * k - 4, f"b{2**k}.torgb": 2 * k - 3}
    assert index == expected


@pytest.mark.parametrize("replaced", range(6))
def test_replacing_one_style_changes_its_layer_and_those_after_it_and_none_before(make_g: MakeG, replaced: int) -> None:
    generator = make_g()
    outputs: list[dict[str, Tensor]] = [{}, {}]
    ws = torch.randn(1, 6, 5).double()
    other = ws.clone()
    other[:, replaced] = torch.randn(5).double()
    for seen, given in zip(outputs, (ws, other), strict=True):
        hooks = [
            module.register_forward_hook(lambda _, __, y, name=name, seen=seen: seen.__setitem__(name, y.clone()))
            for name, module in generator.synthesis_network.named_modules()
            if isinstance(module, SynthesisLayer | ToRGB)
        ]
        generator.synthesis(given)
        for hook in hooks:
            hook.remove()
    changed = {name for name in outputs[0] if not torch.equal(outputs[0][name], outputs[1][name])}
    order = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]  # styles 0 to 4
    torgb = {f"{name}.torgb" for name in ("b4", "b8", "b16")[replaced // 2 :]}  # by their style or their input
    assert changed == set(order[replaced:]) | torgb


def test_num_ws_and_noise_maps_at_full_resolution_are_the_published_ones() -> None:
    generator = Generator(GeneratorConfig(img_resolution=(1024, 1024), channel_max=8))
    assert generator.num_ws == 18
    assert generator.noise_shapes == tuple((2 ** ((i + 5) // 2),) * 2 for i in range(17))


def test_initial_values_are_the_papers(make_g: MakeG) -> None:
    torch.manual_seed(0)
    state = Generator(GeneratorConfig(img_resolution=(16, 16), channel_base=512, channel_max=64)).state_dict()
    layer = "synthesis_network.b8.conv0"
    assert state[f"{layer}.affine.bias"].eq(1).all()
    assert not state[f"{layer}.bias"].any()
    assert not state[f"{layer}.noise_strength"].any()
    for name, deviation in (
        (f"{layer}.weight", 1),
        ("synthesis_network.b4.const", 1),
        ("mapping_network.fc0.weight", 100),  # learning rate multiplier 0.01
        (f"{layer}.affine.weight", 1),
    ):
        assert state[name].std().item() == pytest.approx(deviation, rel=0.05), name
    assert not state["w_avg"].any()


def test_truncation_moves_w_towards_its_average_in_the_layers_before_the_cutoff(make_g: MakeG) -> None:
    generator, z = make_g(), torch.randn(3, 6).double()
    ws = generator.mapping(z)
    assert ws.shape == (3, 6, 5)
    assert torch.equal(ws, ws[:, :1].expand(-1, 6, -1))
    average = generator.w_avg
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.7), average + 0.7 * (ws - average))
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.0), average.expand(3, 6, 5))
    torch.testing.assert_close(generator.mapping(z, truncation_psi=-1.0), 2 * average - ws)
    partly = generator.mapping(z, truncation_psi=0.5, truncation_cutoff=2)
    torch.testing.assert_close(partly[:, :2], (average + ws[:, :2]) / 2)
    torch.testing.assert_close(partly[:, 2:], ws[:, 2:])
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.5, truncation_cutoff=0), ws)
    torch.testing.assert_close(generator.mapping(z, truncation_psi=1.0, truncation_cutoff=2), ws)


def test_w_avg_forgets_by_its_decay(make_g: MakeG) -> None:
    generator = make_g(w_avg_beta=0.9)
    before, mean = generator.w_avg.clone(), torch.randn(5).double()
    generator.update_w_avg(mean)
    torch.testing.assert_close(generator.w_avg, 0.9 * before + 0.1 * mean)


def test_stored_noise_repeats_random_noise_does_not_and_none_is_neither(make_g: MakeG) -> None:
    generator, ws = make_g(), torch.randn(2, 6, 5).double()
    const = generator.synthesis(ws)
    assert torch.equal(const, generator.synthesis(ws, noise_mode="const"))
    first, second = generator.synthesis(ws, noise_mode="random"), generator.synthesis(ws, noise_mode="random")
    none = generator.synthesis(ws, noise_mode="none")
    assert not torch.allclose(first, second)
    assert not torch.allclose(none, const)
    zeros = [torch.zeros(1, 1, *shape).double() for shape in generator.noise_shapes]
    torch.testing.assert_close(generator.synthesis(ws, noises=zeros), none)
    stored = [layer[None, None] for name, layer in generator.named_buffers() if name.endswith("noise_const")]
    torch.testing.assert_close(generator.synthesis(ws, noises=stored), const)


def test_a_generator_without_noise_has_no_maps_and_ignores_the_mode(make_g: MakeG) -> None:
    generator, ws = make_g(use_noise=False), torch.randn(2, 6, 5).double()
    assert generator.noise_shapes == ()
    assert not [name for name in generator.state_dict() if "noise" in name]
    images = generator.synthesis(ws)
    torch.testing.assert_close(images, plain_images(generator, generator.state_dict(), ws, [None] * 5))
    for arguments in ({"noise_mode": "random"}, {"noise_mode": "none"}, {"noises": []}):
        assert torch.equal(generator.synthesis(ws, **arguments), images)
    with pytest.raises(ConfigError, match="noise_mode: got 'constant'"):
        generator.synthesis(ws, noise_mode="constant")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="synthesis expects 0 noise maps"):
        generator.synthesis(ws, noises=[torch.zeros(1, 1, 4, 4)])


def test_random_noise_differs_from_sample_to_sample(make_g: MakeG) -> None:
    images = make_g().synthesis(torch.ones(2, 6, 5).double(), noise_mode="random")
    assert not torch.allclose(images[0], images[1])


def test_a_picture_does_not_depend_on_the_others_of_its_batch(make_g: MakeG) -> None:
    generator, ws = make_g(), torch.randn(4, 6, 5).double()
    torch.testing.assert_close(generator.synthesis(ws)[2:3], generator.synthesis(ws[2:3]), rtol=1e-12, atol=1e-12)


def test_forward_composes_mapping_and_synthesis(make_g: MakeG) -> None:
    generator, z, c = make_g(c_dim=3), torch.randn(2, 6), torch.eye(3)[:2]
    ws = generator.mapping(z, c, truncation_psi=0.5, truncation_cutoff=3)
    expected = generator.synthesis(ws, noise_mode="none")
    got = generator(z, c, truncation_psi=0.5, truncation_cutoff=3, noise_mode="none")
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("label_norm", ["separate", "joint"])
def test_a_conditional_generator_makes_of_one_z_a_picture_per_class(make_g: MakeG, label_norm: str) -> None:
    generator = make_g(c_dim=3, label_norm=label_norm)
    images = generator(torch.ones(3, 6), torch.eye(3))
    assert not torch.allclose(images[0], images[1])


@pytest.mark.parametrize(("size", "num_ws"), [((4, 4), 2), ((7, 5), 2), ((6, 4), 2), ((32, 24), 8)])
def test_any_base_grid_works_down_to_a_single_block(make_g: MakeG, size: tuple[int, int], num_ws: int) -> None:
    generator = make_g(img_resolution=size)
    assert generator.num_ws == num_ws
    assert generator(torch.randn(1, 6)).shape == (1, 3, *size)


@pytest.mark.parametrize("up", [1, 2])
def test_a_layer_in_half_precision_neither_overflows_nor_drifts(up: int) -> None:
    """Demodulation cancels the scale of styles and filters, so both are normalised before they can overflow."""
    torch.manual_seed(0)
    layer = SynthesisLayer(32, 16, w_dim=8, resolution=(8 * up, 8 * up), up=up, conv_clamp=256.0)
    with torch.no_grad():
        layer.weight.mul_(3000)
        layer.affine.bias.add_(20000)
    x, w, noise = torch.randn(2, 32, 8, 8), torch.randn(2, 8), torch.randn(2, 1, 8 * up, 8 * up)
    half = layer(x.half(), w, noise)
    assert half.dtype == torch.float16
    full = layer.double()(x.double(), w.double(), noise.double())
    assert ((half.double() - full).norm() / full.norm()).item() < 5e-3


def test_half_precision_layers_are_clamped_and_full_precision_ones_are_not() -> None:
    torch.manual_seed(0)
    layer = SynthesisLayer(2, 2, w_dim=3, resolution=(4, 4), gain=0.5, conv_clamp=2.0)
    torch.nn.init.constant_(layer.bias, 50.0)
    x, w = torch.randn(1, 2, 4, 4), torch.randn(1, 3)
    assert layer(x.half(), w, None).abs().max() == 1.0  # clamp times gain
    assert layer(x, w, None).abs().max() > 20


def test_torgb_in_half_precision_saturates_instead_of_overflowing() -> None:
    torgb = ToRGB(64, 3, w_dim=8, conv_clamp=256.0)
    torch.nn.init.constant_(torgb.weight, 200.0)
    x, w = torch.full((1, 64, 2, 2), 250.0), torch.zeros(1, 8)
    assert torgb(x.half(), w).eq(256).all()
    assert torgb(x, w).min() > 65504  # what half precision cannot hold


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"z": (2, 7)}, r"mapping expects z of \[N, 6\], got \[2, 7\]; this generator has z_dim=6"),
        ({"z": (6,)}, r"mapping expects z of \[N, 6\], got \[6\]"),
        ({"z": (2, 6), "c": (2, 4)}, r"mapping expects labels c of \[2, 3\], got \[2, 4\]"),
        ({"z": (2, 6)}, r"mapping expects labels c of \[2, 3\], got None"),
    ],
)
def test_latents_and_labels_of_a_wrong_shape_are_refused(
    make_g: MakeG, arguments: dict[str, tuple[int, ...]], message: str
) -> None:
    generator = make_g(c_dim=3)
    with pytest.raises(ShapeError, match=message):
        generator.mapping(*(torch.zeros(shape) for shape in arguments.values()))


def test_ws_noise_maps_and_modes_that_do_not_fit_are_refused(make_g: MakeG) -> None:
    generator = make_g()
    with pytest.raises(ShapeError, match=r"synthesis expects ws of \[N, 6, 5\], got \[1, 5, 5\]"):
        generator.synthesis(torch.zeros(1, 5, 5))
    ws, noises = torch.zeros(1, 6, 5).double(), noises_for(generator, 1)
    with pytest.raises(ShapeError, match="synthesis expects 5 noise maps"):
        generator.synthesis(ws, noises=noises[:-1])
    with pytest.raises(
        ShapeError, match=r"noise maps \[N or 1, 1, H, W\] of \(H, W\) \(\(4, 4\), .*got .*\(1, 1, 1, 1\)"
    ):
        generator.synthesis(ws, noises=[torch.zeros(1, 1, 1, 1), *noises[1:]])
    with pytest.raises(ConfigError, match="noise_mode: got 'constant', expected one of const, random, none"):
        generator.synthesis(ws, noise_mode="constant")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("img_channels", 5, ">= 1, <= 4"),
        ("z_dim", 0, ">= 1"),
        ("channel_base", 0, ">= 1"),
        ("mapping_layers", -1, ">= 0"),
        ("w_avg_beta", 1.5, ">= 0, <= 1"),
        ("conv_clamp", 0, "> 0"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(name: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=f"generator.{name}: got {value}, expected {limits}"):
        GeneratorConfig(**{name: value})
