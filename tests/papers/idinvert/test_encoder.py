"""The encoder: against a plain second implementation, the published size, and what each kind of code promises."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.errors import ConfigError, ShapeError
from limner.papers.idinvert import Encoder, EncoderConfig
from papers.idinvert.conftest import NETWORKS, MakeEncoder, networks

IMAGES = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(2)).double()


def plain_codes(E: Encoder, images: Tensor) -> Tensor:
    """The layers of the paper's encoder, written out with torch's functions and sums over pixels."""
    tensors = dict(E.state_dict())

    def normalised(x: Tensor, name: str) -> Tensor:
        scale, shift = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        if E.config.norm == "batch":
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
            y = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        else:
            size = math.gcd(x.shape[1], E.config.group_size)
            parts = x.unflatten(1, (-1, size))
            mean = parts.mean((2, 3, 4), keepdim=True)
            variance = parts.var((2, 3, 4), correction=0, keepdim=True)
            y = ((parts - mean) / (variance + 1e-5).sqrt()).flatten(1, 2)
        return scale[:, None, None] * y + shift[:, None, None]

    def layer(x: Tensor, name: str, padding: int) -> Tensor:
        y = F.conv2d(x, tensors[f"{name}.conv.weight"], tensors[f"{name}.conv.bias"], padding=padding)
        return normalised(torch.where(y > 0, y, 0.2 * y), f"{name}.norm")

    x = layer(images, "stem", 2)
    for index in range(len(E.blocks)):
        name = f"blocks.{index}"
        x = x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))
        y = layer(layer(x, f"{name}.conv0", 1), f"{name}.conv1", 1)
        if f"{name}.skip.0.weight" in tensors:
            x = normalised(F.conv2d(x, tensors[f"{name}.skip.0.weight"]), f"{name}.skip.1")
        x = x + y
    if E.config.head_channels is not None:
        x = F.conv2d(x, tensors["narrow.0.weight"], tensors["narrow.0.bias"])
    gain = 1 / math.sqrt(x[0].numel()) if E.config.from_average else 1.0
    codes = x.flatten(1) @ tensors["head.weight"].t() * gain + tensors["head.bias"]
    if E.config.code_norm:
        codes = (codes - codes.mean(0)) / (codes.var(0, correction=0) + 1e-5).sqrt()
        codes = codes * tensors["code_norm.weight"] + tensors["code_norm.bias"]
    return codes.reshape(len(images), *E.code_shape) + tensors["code_avg"]


@pytest.mark.parametrize("space", ["w+", "w", "z"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"from_average": True},
        {"from_average": True, "head_channels": 2},
        {"norm": "batch", "code_norm": True},
        {"norm": "batch", "channels": 3, "channel_max": 5},
        {"group_size": 3, "channels": 6, "img_channels": 1},
    ],
)
def test_codes_equal_those_of_a_plain_network(
    make_encoder: MakeEncoder, space: str, changes: dict[str, object]
) -> None:
    E = make_encoder(space=space, **changes)
    E.code_avg.normal_()
    images = IMAGES[:, : E.img_channels]
    expected = plain_codes(E, images)
    codes = E(images)
    if space == "z":
        assert codes.shape == (3, 6)
        expected = expected[:, 0]
    else:
        assert codes.shape == (3, 6, 5)
        expected = expected.expand(-1, 6, -1)
    torch.testing.assert_close(codes, expected)


def test_the_official_encoder_has_the_size_reported_of_it() -> None:
    """At 256 pixels and 14 w of 512: about 75.4 million in all, 58.7 million in the dense layer."""
    with torch.device("meta"):
        E = Encoder(EncoderConfig())
    count = sum(parameter.numel() for parameter in E.parameters())
    assert E.head.weight.numel() == 512 * 4 * 4 * 14 * 512 == 58_720_256
    assert count == pytest.approx(75.4e6, abs=0.05e6)
    assert [block.conv1.conv.out_channels for block in E.blocks] == [128, 256, 512, 512, 512, 512]


@pytest.mark.parametrize("resolution", [(32, 32), (64, 64), (128, 128), (24, 16), (24, 56)])
def test_any_size_and_any_latents(resolution: tuple[int, int]) -> None:
    E = Encoder(EncoderConfig(img_resolution=resolution, w_dim=48, num_ws=7, channels=4, channel_max=8))
    assert E(torch.randn(2, 3, *resolution)).shape == (2, 7, 48)


def test_one_w_is_the_same_in_every_layer(make_encoder: MakeEncoder) -> None:
    codes = make_encoder(space="w")(IMAGES)
    assert torch.equal(codes, codes[:, :1].expand_as(codes))
    codes = make_encoder(space="w+")(IMAGES)
    assert not torch.equal(codes[:, 0], codes[:, 1])


@pytest.mark.parametrize("room", NETWORKS)
@pytest.mark.parametrize("space", ["w", "w+"])
def test_an_untrained_encoder_says_the_average_w(make_encoder: MakeEncoder, room: str, space: str) -> None:
    G, _ = networks(room)
    latents = {"z_dim": G.z_dim, "w_dim": G.w_dim, "num_ws": G.num_ws}
    E = make_encoder(shaken=False, space=space, from_average=True, **latents)
    E.check_generator(G)
    E.start_from(G)
    assert torch.equal(E(IMAGES), G.w_avg.expand(3, G.num_ws, G.w_dim))


def test_every_layer_starts_from_its_own_average_where_they_differ(make_encoder: MakeEncoder) -> None:
    """As in IDInvert's generator, whose mapping network gives every layer a w of its own."""
    G, _ = networks("stylegan2")
    G.w_avg = torch.randn(6, 5).double()
    for space, expected in (("w+", G.w_avg), ("w", G.w_avg.mean(0).expand(6, 5))):
        E = make_encoder(shaken=False, space=space, from_average=True)
        E.start_from(G)
        torch.testing.assert_close(E(IMAGES), expected.expand(3, 6, 5))


def test_without_the_average_nothing_is_taken(make_encoder: MakeEncoder) -> None:
    G, _ = networks("stylegan2")
    E = make_encoder(from_average=False)
    E.start_from(G)
    assert not E.code_avg.any()


def test_a_z_is_mapped_and_a_w_taken_as_it_is(make_encoder: MakeEncoder) -> None:
    G, _ = networks("stylegan2", c_dim=2)
    c = torch.eye(2).double()[[0, 1, 1]]
    E = make_encoder(space="z")
    assert torch.equal(E.encode(IMAGES, G, c), G.mapping(E(IMAGES), c))
    E = make_encoder(space="w+")
    assert torch.equal(E.encode(IMAGES, G, c), E(IMAGES))


def test_groups_make_a_batch_what_one_by_one_is(make_encoder: MakeEncoder) -> None:
    E = make_encoder(norm="group")
    torch.testing.assert_close(E(IMAGES), torch.cat([E(image[None]) for image in IMAGES]))
    E = make_encoder(norm="batch")
    apart = torch.cat([E(image[None]) for image in IMAGES])
    assert not torch.allclose(E(IMAGES), apart)
    E.eval()
    torch.testing.assert_close(E(IMAGES), torch.cat([E(image[None]) for image in IMAGES]))


def test_a_normalised_code_has_mean_zero_and_variance_one_over_the_batch(make_encoder: MakeEncoder) -> None:
    codes = make_encoder(shaken=False, norm="batch", code_norm=True)(torch.randn(64, 3, 16, 16).double())
    torch.testing.assert_close(codes.mean(0), torch.zeros(6, 5).double(), atol=1e-8, rtol=0)
    torch.testing.assert_close(codes.var(0, correction=0), torch.ones(6, 5).double(), atol=0.02, rtol=0)


def test_initial_weights_are_those_of_the_official_encoder() -> None:
    torch.manual_seed(0)
    E = Encoder(EncoderConfig(img_resolution=(16, 16), w_dim=32, channels=32))
    for name, parameter in E.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" not in name and "skip.1" not in name:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
            assert abs(parameter.mean().item()) < 0.002, name


def test_pictures_of_another_shape_are_told_what_was_expected(make_encoder: MakeEncoder) -> None:
    E = make_encoder()
    with pytest.raises(
        ShapeError, match=r"encoder expects pictures of \[N, 3, 16, 16\], got \[3, 3, 8, 8\]; bring them"
    ):
        E(IMAGES[..., :8, :8])
    with pytest.raises(ShapeError, match=r"got \[3, 1, 16, 16\]"):
        E(IMAGES[:, :1])


def test_one_picture_cannot_be_normalised_over_the_batch_in_training(make_encoder: MakeEncoder) -> None:
    E = make_encoder(norm="batch", code_norm=True)
    with pytest.raises(
        ConfigError, match=r"code_norm: got one picture at a time, expected at least 2.*code_norm=false"
    ):
        E(IMAGES[:1])
    assert E.eval()(IMAGES[:1]).shape == (1, 6, 5)


@pytest.mark.parametrize(("name", "value"), [("w_dim", 4), ("num_ws", 5), ("img_resolution", (32, 32)), ("z_dim", 7)])
def test_a_generator_of_another_shape_is_refused(make_encoder: MakeEncoder, name: str, value: object) -> None:
    G, _ = networks("stylegan2")
    make_encoder().check_generator(G)
    with pytest.raises(ShapeError, match=f"the encoder has {name}=.*the generator {name}=.*it was trained for"):
        make_encoder(**{name: value}).check_generator(G)


@pytest.mark.parametrize(("name", "value"), [("channels", 0), ("img_channels", 5), ("group_size", 0), ("num_ws", 0)])
def test_settings_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"encoder.{name}: got {value}, expected"):
        EncoderConfig(**{name: value})  # type: ignore[arg-type]
