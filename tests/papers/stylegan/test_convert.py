"""Files of three programs become networks that compute what those programs publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from checkpoints.official.foreign_files import write_tensorflow, write_torch
from limner.api.conversion import convert as convert_to_snapshot
from limner.checkpoints.networks import load_generator
from limner.checkpoints.official import Conversion, convert, identify
from limner.errors import CheckpointError
from limner.inversion import optimise
from ops import plain_tensorflow as tf
from papers.stylegan import published_maps as maps
from papers.stylegan import published_maps_rosinality as rosinality

PSI, CUTOFF = 0.6, 3
MERGED: dict[Any, maps.Merged] = {"auto": maps.automatic, True: lambda side: True, False: lambda side: False}


def double(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.double() for name, value in tensors.items()}


def latents(c_dim: int = 0, size: int = maps.Z) -> tuple[Tensor, Tensor | None]:
    z = torch.randn(4, size, generator=torch.Generator().manual_seed(7)).double()
    return z, torch.eye(c_dim).double()[torch.arange(4) % c_dim] if c_dim else None


def pictures(side: int = 16) -> Tensor:
    return torch.randn(8, 3, side, side, generator=torch.Generator().manual_seed(8)).double()


def write(path: Path, G: dict[str, Tensor], D: dict[str, Tensor], Gs: dict[str, Tensor], **settings: Any) -> Path:
    networks = {
        name: {key: value.numpy() for key, value in held.items()} for name, held in (("G", G), ("D", D), ("Gs", Gs))
    }
    return write_tensorflow(path, networks, **{"version": 3, **settings})


def write_official(path: Path, *, top: int = 16, c_dim: int = 0, **settings: Any) -> Path:
    G, Gs = (maps.tensorflow_generator(seed, top=top, c_dim=c_dim) for seed in (1, 2))
    D = maps.tensorflow_discriminator(3, top=top, c_dim=c_dim)
    return write(path, G, D, Gs, **{**maps.fmaps(top), "label_size": c_dim, **settings})


def images_of(conversion: Conversion, name: str, z: Tensor, c: Tensor | None = None, **options: Any) -> Tensor:
    G = conversion.networks[name].double()
    return G.synthesis(G.mapping(z, c, truncation_psi=PSI, truncation_cutoff=CUTOFF), **options)


def published(t: dict[str, Tensor], z: Tensor, c: Tensor | None = None, *, top: int = 16, **options: Any) -> Tensor:
    t = double(t)
    w = maps.tensorflow_mapping(t, z, c)
    ws = maps.truncated(w, t["dlatent_avg"], PSI, CUTOFF, 2 * len(maps.sides(top)))
    return maps.tensorflow_synthesis(t, ws, top=top, **options)


# NVIDIA, TensorFlow


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("lod", [0.0, 0.75, 1.0, 2.0])
def test_networks_compute_what_is_published_at_any_level_of_detail(tmp_path: Path, lod: float, version: int) -> None:
    """StyleGAN writes version 3; StyleGAN2's configuration A is the same networks in version 4."""
    path = write_official(tmp_path / "x.pkl", version=version)
    assert (identify(path).layout, identify(path).room) == ("nvidia-tensorflow", "stylegan")
    converted = convert(path)
    z, _ = latents()
    for name, seed in (("generator_ema", 2), ("generator", 1)):
        expected = published(maps.tensorflow_generator(seed), z, lod=lod)
        torch.testing.assert_close(images_of(converted, name, z, lod=lod), expected)
    D, images = converted.networks["discriminator"].double(), pictures(16 >> int(lod))
    expected = maps.tensorflow_logits(double(maps.tensorflow_discriminator(3)), images, lod=lod)
    torch.testing.assert_close(D(images, lod=lod), expected)


@pytest.mark.parametrize("fused_scale", [True, False])
def test_the_kernel_of_a_merged_doubling_is_turned(tmp_path: Path, fused_scale: bool) -> None:
    converted = convert(write_official(tmp_path / "x.pkl", fused_scale=fused_scale))
    z, _ = latents()
    merged = MERGED[fused_scale]
    expected = published(maps.tensorflow_generator(2), z, is_merged=merged)
    torch.testing.assert_close(images_of(converted, "generator_ema", z), expected)
    expected = maps.tensorflow_logits(double(maps.tensorflow_discriminator(3)), pictures(), is_merged=merged)
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


def test_doublings_are_merged_from_128_pixels_on_unless_told_otherwise(tmp_path: Path) -> None:
    converted = convert(write_official(tmp_path / "x.pkl", top=128))
    assert (converted.config.generator.channel_base, converted.config.generator.channel_max) == (512, 6)
    z, _ = latents()
    t = maps.tensorflow_generator(2, top=128)
    expected = published(t, z[:1], top=128)
    torch.testing.assert_close(images_of(converted, "generator_ema", z[:1]), expected)
    other = published(t, z[:1], top=128, is_merged=MERGED[False])
    assert (expected - other).abs().max() > 0.01, "the orientation of the kernel shows"


def test_labels_are_joined_before_normalization_and_pick_a_logit(tmp_path: Path) -> None:
    converted = convert(write_official(tmp_path / "x.pkl", c_dim=3))
    config = converted.config
    assert (config.generator.z_dim, config.generator.c_dim, config.data.cond) == (maps.Z, 3, True)
    z, c = latents(3)
    expected = published(maps.tensorflow_generator(2, c_dim=3), z, c)
    torch.testing.assert_close(images_of(converted, "generator_ema", z, c), expected)
    c = torch.eye(3).double()[torch.arange(8) % 3]
    expected = maps.tensorflow_logits(double(maps.tensorflow_discriminator(3, c_dim=3)), pictures(), c)
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures(), c), expected)


@pytest.mark.parametrize(
    ("parts", "settings", "options"),
    [
        ({"noise": False}, {}, {}),
        ({"first": "Dense"}, {}, {}),
        ({}, {"use_pixel_norm": True}, {"pixel_norm": True}),
        ({}, {"use_instance_norm": False}, {"instance_norm": False}),
        ({}, {"blur_filter": None}, {"is_blurred": False}),
        ({"noise": False, "styles": False, "first": "Dense"}, {"use_instance_norm": False}, {"instance_norm": False}),
    ],
    ids=str,
)
def test_ablated_generators_compute_what_is_published(
    tmp_path: Path, parts: dict[str, Any], settings: dict[str, Any], options: dict[str, Any]
) -> None:
    t = maps.tensorflow_generator(2, **parts)
    converted = convert(write(tmp_path / "x.pkl", t, maps.tensorflow_discriminator(3), t, **settings))
    z, _ = latents()
    torch.testing.assert_close(images_of(converted, "generator_ema", z), published(t, z, **options))
    is_blurred = options.get("is_blurred", True)
    expected = maps.tensorflow_logits(double(maps.tensorflow_discriminator(3)), pictures(), is_blurred=is_blurred)
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


def test_networks_trained_at_one_resolution_have_zeros_where_they_never_grew(tmp_path: Path) -> None:
    Gs, D = maps.tensorflow_generator(2), maps.tensorflow_discriminator(3)
    Gs = {name: value for name, value in Gs.items() if "ToRGB_lod" not in name or "lod0" in name}
    D = {name: value for name, value in D.items() if "FromRGB_lod" not in name or "lod0" in name}
    converted = convert(write(tmp_path / "x.pkl", Gs, D, Gs))
    z, _ = latents()
    torch.testing.assert_close(images_of(converted, "generator_ema", z), published(Gs, z))
    torch.testing.assert_close(
        converted.networks["discriminator"].double()(pictures()), maps.tensorflow_logits(double(D), pictures())
    )
    assert not images_of(converted, "generator_ema", z, lod=1.0).any()
    assert converted.notes == (
        "the file has toRGB for full resolution alone: those of lower ones are zero",
        "the file has fromRGB for full resolution alone: those of lower ones are zero",
    )


def test_settings_reach_the_configuration(tmp_path: Path) -> None:
    path = write_official(tmp_path / "x.pkl", mapping_lrmul=0.02, dlatent_avg_beta=0.99, mbstd_group_size=8)
    config = convert(path).config
    assert (config.generator.mapping_lr_multiplier, config.generator.w_avg_beta) == (0.02, 0.99)
    assert config.discriminator.mbstd_group == 8


@pytest.mark.parametrize(
    "setting",
    [{"nonlinearity": "relu"}, {"use_wscale": False}, {"normalize_latents": False}, {"blur_filter": [1, 3, 3, 1]}],
)
def test_a_setting_that_no_network_here_computes_is_refused(tmp_path: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=f"trained with {next(iter(setting))}"):
        convert(write_official(tmp_path / "x.pkl", **setting))


def test_the_level_of_detail_of_a_file_is_that_of_its_pictures(tmp_path: Path) -> None:
    Gs = maps.tensorflow_generator(2) | {"synthesis/lod": torch.tensor(1.25)}
    path = write(tmp_path / "x.pkl", Gs, maps.tensorflow_discriminator(3), Gs)
    converted = convert(path)
    assert (converted.networks["generator_ema"].lod, converted.record["lod"]) == (1.25, 1.25)
    convert_to_snapshot(path, tmp_path / "snapshot")
    z, _ = latents()
    G = load_generator(tmp_path / "snapshot").double()
    images = G.synthesis(G.mapping(z, truncation_psi=PSI, truncation_cutoff=CUTOFF))
    torch.testing.assert_close(images, published(Gs, z, lod=1.25))


@pytest.mark.parametrize("name", ["mapping/Dense1/bias", "synthesis/8x8/Conv0_up/StyleMod/weight", "dlatent_avg"])
def test_a_missing_tensor_is_named_or_filled_in_with_a_sentence(tmp_path: Path, name: str) -> None:
    Gs = maps.tensorflow_generator(2)
    del Gs[name]
    path = write(tmp_path / "x.pkl", Gs, maps.tensorflow_discriminator(3), Gs)
    if name != "dlatent_avg":
        with pytest.raises(CheckpointError, match=r"got nothing for what is '(mapping|synthesis)_network"):
            convert(path)
        return
    converted = convert(path)
    many = torch.from_numpy(np.random.RandomState(0).randn(10_000, maps.Z).astype(np.float32)).double()
    average = maps.tensorflow_mapping(double(Gs), many, None).mean(0)
    torch.testing.assert_close(converted.networks["generator_ema"].w_avg.double(), average, rtol=1e-4, atol=1e-4)
    assert converted.notes == ("the file has no average of w: it was taken over 10,000 latents",)


def test_a_tensor_of_no_known_use_is_refused_by_name(tmp_path: Path) -> None:
    Gs = maps.tensorflow_generator(2) | {"synthesis/8x8/Skip/weight": torch.zeros(1, 1, 6, 6)}
    with pytest.raises(CheckpointError, match=r"got tensor 'synthesis/8x8/Skip/weight' of shape \[1, 1, 6, 6\]"):
        convert(write(tmp_path / "x.pkl", Gs, maps.tensorflow_discriminator(3), Gs))


def test_a_small_file_that_describes_a_huge_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    """Layers of 100,000 channels by their shapes; their weights would take 360 GB each."""
    Gs = maps.tensorflow_generator(2)
    for name in ("4x4/Conv", "8x8/Conv1", "16x16/Conv1"):
        Gs[f"synthesis/{name}/weight"] = torch.zeros(1, 1, 1, 100_000)
    with pytest.raises(CheckpointError, match="describe a network of"):
        convert(write(tmp_path / "x.pkl", Gs, maps.tensorflow_discriminator(3), Gs))


# genforce


@pytest.mark.parametrize("top", [16, 128])
def test_a_file_of_genforce_computes_what_it_publishes(tmp_path: Path, top: int) -> None:
    smooth, t = maps.genforce_generator(2, top=top), maps.tensorflow_discriminator(3, top=top)
    content = {
        "generator": maps.genforce_generator(1, top=top),
        "discriminator": maps.genforce_discriminator(t, top) | {"blur.kernel": smooth["synthesis.layer2.blur.kernel"]},
        "generator_smooth": smooth,
    }
    path = write_torch(tmp_path / "x.pth", content)
    assert (identify(path).layout, identify(path).room) == ("genforce", "stylegan")
    converted = convert(path)
    z, _ = latents()
    g = double(smooth)
    ws = maps.truncated(maps.genforce_mapping(g, z[:2]), g["truncation.w_avg"], PSI, CUTOFF, 2 * len(maps.sides(top)))
    expected = maps.genforce_synthesis(g, ws, top=top)
    torch.testing.assert_close(images_of(converted, "generator_ema", z[:2]), expected)
    images = pictures(top)[:4]
    expected = maps.tensorflow_logits(double(t), images, top=top)
    torch.testing.assert_close(converted.networks["discriminator"].double()(images), expected)


def test_a_blur_of_another_form_is_refused(tmp_path: Path) -> None:
    t = maps.genforce_generator(2)
    t["synthesis.layer2.blur.kernel"] = torch.ones(6, 1, 3, 3) / 9
    with pytest.raises(CheckpointError, match=r"'synthesis.layer2.blur.kernel' is a blur of another form"):
        convert(write_torch(tmp_path / "x.pth", t))


# rosinality

ROSINALITY_NOTES = (
    "the file has no noise maps: fixed random ones were drawn, one a resolution as in that program",
    "pictures differ at their border from that program's, which adds the biases of doubling layers before the blur; "
    "here they come after it, as in NVIDIA's networks",
    "the file has no average of w: it was taken over 10,000 latents",
)


def write_rosinality(path: Path, D: dict[str, Tensor], **options: Any) -> Path:
    g, g_running = (rosinality.generator(seed, **options) for seed in (1, 2))
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.001}]}
    return write_torch(path, {"generator": g, "discriminator": D, "g_running": g_running, "g_optimizer": optimizer})


def check_rosinality(conversion: Conversion, t: dict[str, Tensor]) -> None:
    """Compare with the program's own maps, but for the constant it adds to variances."""
    z, _ = latents(size=maps.W)
    G = conversion.networks["generator_ema"].double()
    w = rosinality.mapping(double(t), z)
    torch.testing.assert_close(G.mapping(z)[:, 0], w, rtol=1e-5, atol=1e-6)
    layers = G.synthesis_network.layers()
    assert all(torch.equal(a.noise_const, b.noise_const) for a, b in zip(layers[::2], layers[1::2], strict=True))
    noises = [layer.noise_const[None, None] for layer in layers[::2]]
    expected = rosinality.synthesis(double(t), w, noises, eps=1e-8)
    torch.testing.assert_close(G(z), expected, rtol=1e-5, atol=1e-5)
    assert (rosinality.synthesis(double(t), w, noises) - expected).abs().mean() < 1e-3


def test_a_training_file_of_rosinality_computes_what_it_publishes(tmp_path: Path) -> None:
    """Gains are folded into weights, the 1 of style scales into biases; blocks never trained are left out."""
    D, options = rosinality.discriminator(3), {"has_biases_before_blurs": False}
    path = write_rosinality(tmp_path / "train_step-3.model", D, **options)
    assert (identify(path).layout, identify(path).room) == ("rosinality", "stylegan")
    converted = convert(path)
    assert converted.config.generator.img_resolution == (16, 16)
    check_rosinality(converted, rosinality.generator(2, **options))
    expected = rosinality.logits(double(D), pictures())
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected, rtol=1e-5, atol=1e-5)
    left_out = "blocks above 16 pixels were never trained (biases and noise strengths are zero): they were left out"
    assert converted.notes == (left_out, *ROSINALITY_NOTES)


def test_a_bare_generator_of_rosinality_keeps_all_its_trained_blocks(tmp_path: Path) -> None:
    t = rosinality.generator(2, trained=32, has_biases_before_blurs=False)
    converted = convert(write_torch(tmp_path / "010000.model", t))
    assert converted.config.generator.img_resolution == (32, 32)
    check_rosinality(converted, t)


def test_biases_before_a_blur_are_told_because_they_cannot_be_followed(tmp_path: Path) -> None:
    """A bias b blurred with zeros around it is b inside, 3 b / 4 at an edge, 9 b / 16 in a corner."""
    t = rosinality.generator(2)
    converted = convert(write_torch(tmp_path / "010000.model", t))
    assert ROSINALITY_NOTES[1] in converted.notes
    bias = converted.networks["generator_ema"].state_dict()["synthesis_network.b8.conv0.bias"]
    torch.testing.assert_close(bias, t["generator.progression.1.conv1.1.conv.bias"])
    ones = tf.blur(torch.ones(1, 1, 8, 8))
    assert (ones[0, 0, 4, 4], ones[0, 0, 0, 4], ones[0, 0, 0, 0]) == (1, 3 / 4, 9 / 16)


def test_noise_maps_that_a_small_file_would_need_drawn_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12 doublings of one channel: maps of up to 16384 pixels, none of them in the file."""
    sides = [4 << level for level in range(13)]
    monkeypatch.setattr(rosinality, "SIDES", sides)
    monkeypatch.setattr(rosinality, "CHANNELS", {side: max(16 // side, 1) for side in sides})
    with pytest.raises(CheckpointError, match="describe a network of 7"):
        convert(write_torch(tmp_path / "010000.model", rosinality.generator(2, trained=sides[-1])))


@pytest.mark.parametrize(
    ("D", "reason"),
    [
        (rosinality.discriminator(3, widths=rosinality.CHANNELS), "widens in the first convolution of a block"),
        (rosinality.discriminator(3, is_activated=False), "has no activation after fromRGB"),
    ],
)
def test_a_discriminator_of_rosinality_with_no_place_here_is_left_out(
    tmp_path: Path, D: dict[str, Tensor], reason: str
) -> None:
    converted = convert(write_rosinality(tmp_path / "x.model", D))
    assert set(converted.networks) == {"generator_ema", "generator"}
    assert any(reason in note and note.endswith("left out") for note in converted.notes)


# IDInvert


@pytest.mark.parametrize("top", [16, 128])
def test_idinverts_generator_has_a_w_for_every_layer_and_ends_in_a_tanh(tmp_path: Path, top: int) -> None:
    t = maps.idinvert_generator(4, top=top)
    path = write_torch(tmp_path / "x.pth", t)
    assert (identify(path).layout, identify(path).room) == ("idinvert", "stylegan")
    converted = convert(path)
    config = converted.config.generator
    assert (config.per_layer_w, config.tanh_output, config.w_dim) == (True, True, maps.W)
    z = latents()[0][: 4 if top == 16 else 1]
    expected = maps.idinvert_pictures(double(maps.idinvert_as_tensorflow(t, top=top)), z, PSI, CUTOFF, top=top)
    made = images_of(converted, "generator_ema", z)
    torch.testing.assert_close(made, expected)
    assert made.abs().max() < 1
    ws = converted.networks["generator_ema"].mapping(z)
    assert (ws[:, 0] - ws[:, 1]).abs().max() > 0.01


@pytest.mark.parametrize("is_flat", [True, False])
def test_idinverts_pickle_of_four_networks_loses_its_encoder_alone(tmp_path: Path, is_flat: bool) -> None:
    held = {}
    for name, seed in (("G", 1), ("Gs", 2)):
        held[name] = maps.idinvert_as_tensorflow(maps.idinvert_generator(seed))
        held[name]["dlatent_avg"] = held[name]["dlatent_avg"].reshape(-1 if is_flat else (6, maps.W))
    networks = {
        "E": {"Stem/weight": np.zeros((3, 3, 3, 4), np.float32)},
        "G": {key: value.numpy() for key, value in held["G"].items()},
        "D": {key: value.numpy() for key, value in maps.tensorflow_discriminator(3).items()},
        "Gs": {key: value.numpy() for key, value in held["Gs"].items()},
    }
    converted = convert(write_tensorflow(tmp_path / "x.pkl", networks, version=3, **maps.fmaps(16)))
    assert converted.notes == (
        "the encoder E was left out: the names of its variables are not published; train one for it",
    )
    z, _ = latents()
    expected = maps.idinvert_pictures(double(held["Gs"]), z, PSI, CUTOFF)
    torch.testing.assert_close(images_of(converted, "generator_ema", z), expected)
    expected = maps.tensorflow_logits(double(maps.tensorflow_discriminator(3)), pictures())
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


def test_a_converted_generator_of_idinvert_is_loaded_and_inverted_like_any(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pth", maps.idinvert_generator(4))
    G = load_generator(path)
    assert G.w_avg.shape == (6, maps.W)
    images = G.sample([1, 2], truncation_psi=0.5)
    assert images[0].size == (16, 16)
    wanted = G.synthesis(G.seed_to_ws(3))
    found = optimise.Method(optimise.Config(steps=3)).invert(G, wanted)
    assert found.losses["loss"] < (G.synthesis(G.w_avg[None]) - wanted).square().mean()
