"""Files of four programs become networks that compute what those programs publish."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from checkpoints.official.foreign_files import persistent, write_persistent, write_tensorflow, write_torch
from limner.checkpoints.official import Conversion, convert, identify
from limner.errors import CheckpointError
from limner.papers.stylegan2 import renaming
from papers.stylegan2 import published_maps as maps
from papers.stylegan2 import published_maps_community as community

PSI, CUTOFF = 0.6, 4
ROUNDED = {"rtol": 1e-4, "atol": 1e-5}
"""Where style biases are stored without their 1: our sum is rounded to single precision once, in the weights."""
FMAPS = {"fmap_base": 48, "fmap_max": 8}
"""What gives `published_maps.CHANNELS`: min(48 * 2 / side, 8)."""


def double(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.double() for name, value in tensors.items()}


def arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in tensors.items()}


def latents(c_dim: int = 0) -> tuple[Tensor, Tensor | None]:
    z = torch.randn(4, maps.Z, generator=torch.Generator().manual_seed(7)).double()
    return z, torch.eye(c_dim).double()[torch.arange(4) % c_dim] if c_dim else None


def pictures() -> Tensor:
    return torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(8)).double()


def images_of(conversion: Conversion, name: str, z: Tensor, c: Tensor | None) -> Tensor:
    G = conversion.networks[name].double()
    return G(z, c, truncation_psi=PSI, truncation_cutoff=CUTOFF)


def tensorflow_images(t: dict[str, Tensor], z: Tensor, c: Tensor | None, architecture: str) -> Tensor:
    w = maps.tensorflow_mapping(t, z, c)
    return maps.tensorflow_synthesis(t, maps.truncated(w, t["dlatent_avg"], PSI, CUTOFF), architecture)


def pytorch_images(t: dict[str, Tensor], z: Tensor, c: Tensor | None, architecture: str) -> Tensor:
    w = maps.pytorch_mapping(t, z, c)
    return maps.pytorch_synthesis(t, maps.truncated(w, t["mapping.w_avg"], PSI, CUTOFF), architecture)


# NVIDIA, TensorFlow


@pytest.mark.parametrize("d_architecture", ["orig", "skip", "resnet"])
@pytest.mark.parametrize("g_architecture", ["orig", "skip", "resnet"])
def test_tensorflow_networks_of_table_2_compute_what_they_publish(
    tmp_path: Path, g_architecture: str, d_architecture: str
) -> None:
    G, Gs = (maps.tensorflow_generator(seed, architecture=g_architecture) for seed in (1, 2))
    D = maps.tensorflow_discriminator(3, architecture=d_architecture)
    path = write_tensorflow(tmp_path / "x.pkl", {"G": arrays(G), "D": arrays(D), "Gs": arrays(Gs)}, **FMAPS)
    assert (identify(path).layout, identify(path).room) == ("nvidia-tensorflow", "stylegan2")
    converted = convert(path)
    config = converted.config
    assert (config.generator.architecture, config.discriminator.architecture) == (g_architecture, d_architecture)
    assert (config.generator.channel_base, config.generator.channel_max) == (96, 8)
    z, _ = latents()
    for name, t in (("generator_ema", Gs), ("generator", G)):
        expected = tensorflow_images(double(t), z, None, g_architecture)
        torch.testing.assert_close(images_of(converted, name, z, None), expected, **ROUNDED)
    expected = maps.tensorflow_logits(double(D), pictures(), None, architecture=d_architecture, group=4)
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


def test_growing_tensorflow_networks_keep_every_torgb_and_their_level(tmp_path: Path) -> None:
    """Configurations B to D: ToRGB_lod0 shows the full resolution, ToRGB_lod1 half of it."""
    Gs, D = (
        maps.tensorflow_generator(2, architecture="growing"),
        maps.tensorflow_discriminator(3, architecture="growing"),
    )
    path = write_tensorflow(tmp_path / "x.pkl", {"G": arrays(Gs), "D": arrays(D), "Gs": arrays(Gs)}, **FMAPS)
    converted = convert(path)
    z, _ = latents()
    torch.testing.assert_close(
        images_of(converted, "generator_ema", z, None), tensorflow_images(double(Gs), z, None, "growing"), **ROUNDED
    )
    logits = converted.networks["discriminator"].double()(pictures())
    torch.testing.assert_close(
        logits, maps.tensorflow_logits(double(D), pictures(), None, architecture="growing", group=4)
    )
    assert converted.config.generator.growing
    half = converted.networks["generator"].state_dict()["synthesis_network.b8.torgb.bias"]
    torch.testing.assert_close(half.float(), Gs["synthesis/ToRGB_lod1/bias"])
    Gs["lod"] = torch.tensor(1.5)
    path = write_tensorflow(tmp_path / "y.pkl", {"G": arrays(Gs), "D": arrays(D), "Gs": arrays(Gs)}, **FMAPS)
    converted = convert(path)
    assert (converted.networks["generator_ema"].lod, converted.record["lod"]) == (1.5, 1.5)


@pytest.mark.parametrize("labels", ["LabelConcat", "LabelEmbed"])
def test_tensorflow_labels_are_joined_as_their_program_joins_them(tmp_path: Path, labels: str) -> None:
    """StyleGAN2 normalises label and z together, ADA each by itself."""
    Gs = maps.tensorflow_generator(2, labels=labels, c_dim=3)
    D = maps.tensorflow_discriminator(3, c_dim=3 if labels == "LabelEmbed" else 0)
    if labels == "LabelConcat":  # StyleGAN2's discriminator: an output for every class
        D["Output/weight"], D["Output/bias"] = torch.ones(8, 3), torch.ones(3)
    path = write_tensorflow(tmp_path / "x.pkl", {"G": arrays(Gs), "D": arrays(D), "Gs": arrays(Gs)}, **FMAPS)
    converted = convert(path)
    z, c = latents(3)
    expected = tensorflow_images(double(Gs), z, c, "skip")
    torch.testing.assert_close(images_of(converted, "generator_ema", z, c), expected, **ROUNDED)
    if labels == "LabelConcat":
        assert "discriminator" not in converted.networks
        assert converted.config.generator.label_norm == "joint"
        assert "picks its outputs by label" in converted.notes[0]
        return
    c = torch.eye(3).double()[torch.arange(8) % 3]
    expected = maps.tensorflow_logits(double(D), pictures(), c, architecture="resnet", group=4)
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures(), c), expected)


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_and_version_of_tensorflow_networks_is_read(
    tmp_path: Path, protocol: int, version: int
) -> None:
    t = maps.tensorflow_generator(1)
    networks = {"G": arrays(t), "D": arrays(maps.tensorflow_discriminator(3)), "Gs": arrays(t)}
    path = write_tensorflow(tmp_path / "x.pkl", networks, protocol=protocol, version=version, **FMAPS)
    assert convert(path).networks["generator"].w_avg.tolist() == t["dlatent_avg"].tolist()


def test_settings_of_tensorflow_networks_reach_the_configuration(tmp_path: Path) -> None:
    t = maps.tensorflow_generator(1)
    networks = {"G": arrays(t), "D": arrays(maps.tensorflow_discriminator(3)), "Gs": arrays(t)}
    settings = {"mapping_lrmul": 0.02, "dlatent_avg_beta": 0.99, "mbstd_group_size": 8, "num_fp16_res": 3}
    config = convert(write_tensorflow(tmp_path / "x.pkl", networks, **settings, **FMAPS)).config
    assert (config.generator.mapping_lr_multiplier, config.generator.w_avg_beta) == (0.02, 0.99)
    assert (config.generator.num_fp16_res, config.discriminator.mbstd_group) == (3, 8)


@pytest.mark.parametrize(
    "setting",
    [
        {"nonlinearity": "relu"},
        {"resample_kernel": [1, 2, 1]},
        {"normalize_latents": False},
        {"use_spectral_norm": True},
    ],
)
def test_a_setting_that_no_network_here_computes_is_refused(tmp_path: Path, setting: dict[str, Any]) -> None:
    t = maps.tensorflow_generator(1)
    networks = {"G": arrays(t), "D": arrays(maps.tensorflow_discriminator(3)), "Gs": arrays(t)}
    with pytest.raises(CheckpointError, match=f"trained with {next(iter(setting))}"):
        convert(write_tensorflow(tmp_path / "x.pkl", networks, **setting))


# NVIDIA, PyTorch


def write_pytorch(path: Path, G: dict[str, Tensor], D: dict[str, Tensor], **more: Any) -> Path:
    synthesis = {"channel_base": 97, "channel_max": 8, "num_fp16_res": 4, "conv_clamp": 256}
    networks = {
        "G": persistent("Generator", G, synthesis_kwargs=synthesis, mapping_kwargs={"num_layers": 3}),
        "D": persistent("Discriminator", D, epilogue_kwargs={"mbstd_group_size": 2}, channel_base=97, channel_max=8),
        "G_ema": persistent("Generator", G, synthesis_kwargs=synthesis, mapping_kwargs={"num_layers": 3}),
        **more,
    }
    return write_persistent(path, networks)


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["orig", "skip", "resnet"])
def test_pytorch_networks_compute_what_they_publish(tmp_path: Path, architecture: str, c_dim: int) -> None:
    G = maps.pytorch_generator(1, architecture=architecture, c_dim=c_dim)
    D = maps.pytorch_discriminator(3, architecture=architecture, c_dim=c_dim)
    path = write_pytorch(tmp_path / "x.pkl", G, D)
    assert (identify(path).layout, identify(path).networks) == ("nvidia-pytorch", ("G", "D", "G_ema"))
    converted = convert(path)
    config = converted.config
    assert (config.generator.architecture, config.discriminator.architecture) == (architecture, architecture)
    assert (config.generator.channel_base, config.generator.num_fp16_res) == (97, 4)
    assert (config.data.c_dim, config.data.cond, config.discriminator.mbstd_group) == (c_dim, c_dim > 0, 2)
    z, c = latents(c_dim)
    expected = pytorch_images(double(G), z, c, architecture)
    torch.testing.assert_close(images_of(converted, "generator_ema", z, c), expected)
    labels = torch.eye(3).double()[torch.arange(8) % 3] if c_dim else None
    t = maps.tensorflow_discriminator(3, architecture=architecture, c_dim=c_dim)
    if labels is None:
        expected = maps.tensorflow_logits(double(t), pictures(), None, architecture=architecture, group=2)
    else:
        del t["LabelEmbed/weight"], t["LabelEmbed/bias"]
        scores = maps.tensorflow_logits(double(t), pictures(), None, architecture=architecture, group=2)  # [8, width]
        label = maps.pytorch_label(double(D), labels)
        expected = (scores * label).sum(1, keepdim=True) / math.sqrt(label.shape[1])
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures(), labels), expected)


def test_settings_given_flat_as_stylegan3_gives_them_are_read(tmp_path: Path) -> None:
    G = maps.pytorch_generator(1)
    path = write_persistent(
        tmp_path / "x.pkl",
        {"G_ema": persistent("Generator", G, channel_base=100, channel_max=8, mapping_kwargs={"w_avg_beta": 0.998})},
    )
    converted = convert(path)
    assert (converted.config.generator.channel_base, converted.config.generator.w_avg_beta) == (100, 0.998)
    assert set(converted.networks) == {"generator_ema"}


def test_the_state_of_augmentation_is_kept(tmp_path: Path) -> None:
    on = dict.fromkeys(("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "brightness", "contrast"), 1)
    pipe = persistent("AugmentPipe", {"p": torch.tensor(0.375), "Hz_geom": torch.zeros(12)}, **on)
    path = write_pytorch(
        tmp_path / "x.pkl", maps.pytorch_generator(1), maps.pytorch_discriminator(3), augment_pipe=pipe
    )
    augment = convert(path).config.augment
    assert (augment.mode, augment.pipe, augment.p) == ("ada", "bgc", 0.375)


def test_an_augmentation_we_do_not_have_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    pipe = persistent("AugmentPipe", {"p": torch.tensor(1.25)}, xflip=1)
    path = write_pytorch(
        tmp_path / "x.pkl", maps.pytorch_generator(1), maps.pytorch_discriminator(3), augment_pipe=pipe
    )
    converted = convert(path)
    assert converted.config.augment.mode == "none"
    assert "left out" in converted.notes[0]


def test_a_filter_of_another_form_is_refused(tmp_path: Path) -> None:
    G = maps.pytorch_generator(1)
    G["synthesis.b8.resample_filter"] = torch.ones(4, 4) / 16
    with pytest.raises(CheckpointError, match=r"'synthesis.b8.resample_filter' is a resampling filter of another form"):
        convert(write_pytorch(tmp_path / "x.pkl", G, maps.pytorch_discriminator(3)))


def test_a_tensor_of_no_known_use_is_refused_by_name(tmp_path: Path) -> None:
    G = maps.pytorch_generator(1) | {"synthesis.b8.conv0.attention": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"got tensor 'synthesis.b8.conv0.attention' of shape \[3\]"):
        convert(write_pytorch(tmp_path / "x.pkl", G, maps.pytorch_discriminator(3)))


@pytest.mark.parametrize("name", ["mapping.fc1.bias", "synthesis.b8.conv0.affine.weight", "synthesis.b16.torgb.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    G = maps.pytorch_generator(1)
    del G[name]
    ours = name.replace("mapping", "mapping_network").replace("synthesis", "synthesis_network")
    with pytest.raises(CheckpointError, match=f"got nothing for what is '{ours}'"):
        convert(write_pytorch(tmp_path / "x.pkl", G, maps.pytorch_discriminator(3)))


def test_widths_that_follow_no_rule_are_refused(tmp_path: Path) -> None:
    G = maps.pytorch_generator(1)
    for layer in ("conv0", "conv1"):
        G[f"synthesis.b16.{layer}.weight"] = torch.randn(9, 9, 3, 3)
    with pytest.raises(CheckpointError, match=r"layers have \[8, 8, 9\] channels"):
        convert(write_pytorch(tmp_path / "x.pkl", G, maps.pytorch_discriminator(3)))


# rosinality and genforce


@pytest.mark.parametrize("legacy", [False, True])
def test_a_training_file_of_rosinality_computes_what_it_publishes(tmp_path: Path, legacy: bool) -> None:
    """With optimisers and the parsed command line in it, and no average of w."""
    g, g_ema = community.rosinality_generator(1), community.rosinality_generator(2)
    content = {
        "g": g,
        "d": community.rosinality_discriminator(3),
        "g_ema": g_ema,
        "g_optim": {"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.002}]},
        "d_optim": {"state": {}, "param_groups": [{"betas": (0.0, 0.99), "params": [0, 1]}]},
        "args": argparse.Namespace(size=16, latent=512, path="lmdb"),
        "ada_aug_p": 0.25,
    }
    path = write_torch(tmp_path / "010000.pt", content, legacy=legacy)
    assert (identify(path).layout, identify(path).networks) == ("rosinality", ("g_ema", "g", "d"))
    converted = convert(path)
    z, _ = latents()
    t = double(g_ema)
    w = community.rosinality_mapping(t, z)
    G = converted.networks["generator_ema"].double()
    expected = community.rosinality_synthesis(t, w[:, None].expand(-1, 6, -1))
    torch.testing.assert_close(G(z), expected)
    many = torch.from_numpy(np.random.RandomState(0).randn(10_000, maps.Z).astype(np.float32)).double()
    average = community.rosinality_mapping(t, many).mean(0)
    torch.testing.assert_close(G.w_avg, average, rtol=1e-4, atol=1e-4)
    assert converted.notes == ("the file has no average of w: it was taken over 10,000 latents",)
    assert (converted.config.augment.mode, converted.config.augment.p) == ("ada", 0.25)
    expected = maps.tensorflow_logits(
        double(maps.tensorflow_discriminator(3)), pictures(), None, architecture="resnet", group=4
    )
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


def test_a_converted_file_of_rosinality_keeps_its_average_of_w(tmp_path: Path) -> None:
    average = torch.arange(7.0)
    path = write_torch(tmp_path / "x.pt", {"g_ema": community.rosinality_generator(2), "latent_avg": average})
    converted = convert(path)
    assert set(converted.networks) == {"generator_ema"}
    assert converted.networks["generator_ema"].w_avg.tolist() == average.tolist()
    assert not converted.notes


def test_an_old_file_of_rosinality_without_noise_maps_gets_fixed_ones(tmp_path: Path) -> None:
    t = {name: value for name, value in community.rosinality_generator(2).items() if "noises" not in name}
    path = write_torch(tmp_path / "x.pt", {"g_ema": t, "latent_avg": torch.zeros(7)})
    first, second = convert(path), convert(path)
    assert first.notes == ("the file has no noise maps: fixed random ones were drawn",)
    z, _ = latents()
    torch.testing.assert_close(
        images_of(first, "generator_ema", z, None), images_of(second, "generator_ema", z, None), rtol=0, atol=0
    )


@pytest.mark.parametrize("is_training_file", [False, True])
def test_a_file_of_genforce_computes_what_it_publishes(tmp_path: Path, is_training_file: bool) -> None:
    smooth = community.genforce_generator(2)
    models = {
        "generator": community.genforce_generator(1),
        "discriminator": community.genforce_discriminator(3),
        "generator_smooth": smooth,
    }
    content = {"models": models, "running_metadata": {"iter": 3}} if is_training_file else models
    path = write_torch(tmp_path / "x.pth", content)
    assert (identify(path).layout, identify(path).room) == ("genforce", "stylegan2")
    converted = convert(path)
    z, _ = latents()
    t = double(smooth)
    ws = maps.truncated(community.genforce_mapping(t, z), t["truncation.w_avg"], PSI, CUTOFF)
    expected = community.genforce_synthesis(t, ws)
    torch.testing.assert_close(images_of(converted, "generator_ema", z, None), expected, **ROUNDED)
    expected = maps.tensorflow_logits(
        double(maps.tensorflow_discriminator(3)), pictures(), None, architecture="resnet", group=4
    )
    torch.testing.assert_close(converted.networks["discriminator"].double()(pictures()), expected)


# Transforms


@pytest.mark.parametrize("bias", [1.0, 0.1, -3.7, 2.0**-20 * 1.2345, 0.0, 1e6])
def test_a_style_bias_survives_being_stored_without_its_one(bias: float) -> None:
    given = torch.tensor([bias])
    assert torch.equal(renaming.add_one(renaming.subtract_one(given)), given)


def test_a_style_bias_is_stored_in_single_precision_where_that_loses_nothing() -> None:
    assert renaming.subtract_one(torch.tensor([0.75, 1.5])).dtype == torch.float32
    assert renaming.subtract_one(torch.tensor([0.1])).dtype == torch.float64


def test_a_small_file_that_describes_a_huge_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    """Layers of 100,000 channels by their shapes; their weights would take 360 GB each."""
    t = community.rosinality_generator(0)
    for name in ("conv1.conv", "convs.1.conv", "convs.3.conv"):
        t[f"{name}.weight"] = torch.zeros(1, 100_000, 1, 1, 1)
    with pytest.raises(CheckpointError, match="describe a network of"):
        convert(write_torch(tmp_path / "x.pt", {"g_ema": t, "latent_avg": torch.zeros(7)}))
