"""Files of two programs become networks that compute what those programs publish."""

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
from ops import plain_tensorflow as tf
from papers.progan import published_maps as maps


def double(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.double() for name, value in tensors.items()}


def latents(c_dim: int = 0) -> tuple[Tensor, Tensor | None]:
    z = torch.randn(4, maps.Z, generator=torch.Generator().manual_seed(7)).double()
    return z, torch.eye(c_dim).double()[torch.arange(4) % c_dim] if c_dim else None


def pictures(side: int = 16) -> Tensor:
    return torch.randn(8, 3, side, side, generator=torch.Generator().manual_seed(8)).double()


def write(path: Path, G: dict[str, Tensor], D: dict[str, Tensor], Gs: dict[str, Tensor], **settings: Any) -> Path:
    networks = {
        name: {key: value.numpy() for key, value in held.items()} for name, held in (("G", G), ("D", D), ("Gs", Gs))
    }
    return write_tensorflow(path, networks, version=2, **{**maps.FMAPS, **settings})


def write_official(path: Path, *, merged: bool, c_dim: int = 0, **settings: Any) -> Path:
    G, Gs = (maps.tensorflow_generator(seed, merged=merged, c_dim=c_dim) for seed in (1, 2))
    D = maps.tensorflow_discriminator(3, merged=merged, c_dim=c_dim)
    return write(path, G, D, Gs, label_size=c_dim, fused_scale=merged, **settings)


def images_of(conversion: Conversion, name: str, z: Tensor, c: Tensor | None = None, **options: Any) -> Tensor:
    G = conversion.networks[name].double()
    return G.synthesis(G.mapping(z, c), **options)


def outputs_of(conversion: Conversion, images: Tensor, lod: float = 0.0) -> Tensor:
    return torch.cat(conversion.networks["discriminator"].double().score_and_classes(images, lod=lod), 1)


# NVIDIA, TensorFlow


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("lod", [0.0, 1.0, 1.25, 2.0])
def test_generators_compute_what_is_published_at_any_level_of_detail(tmp_path: Path, merged: bool, lod: float) -> None:
    """Doubling in two steps, and with a merged kernel that is stored [k, k, out, in] and applied transposed."""
    path = write_official(tmp_path / "x.pkl", merged=merged)
    assert (identify(path).layout, identify(path).room) == ("nvidia-tensorflow", "progan")
    converted = convert(path)
    z, _ = latents()
    for name, seed in (("generator_ema", 2), ("generator", 1)):
        t = double(maps.tensorflow_generator(seed, merged=merged))
        expected = maps.tensorflow_images(t, z, None, lod=lod)
        torch.testing.assert_close(images_of(converted, name, z, lod=lod), expected)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize(("lod", "side"), [(0.0, 16), (0.75, 16), (1.5, 8), (2.0, 4)])
def test_discriminators_halve_before_the_activation_only_where_that_is_merged(
    tmp_path: Path, merged: bool, lod: float, side: int
) -> None:
    converted = convert(write_official(tmp_path / "x.pkl", merged=merged))
    assert converted.config.discriminator.fused_scale is merged
    t = double(maps.tensorflow_discriminator(3, merged=merged))
    expected = maps.tensorflow_outputs(t, pictures(side), group=4, lod=lod)
    torch.testing.assert_close(outputs_of(converted, pictures(side), lod), expected)


def test_the_two_orders_of_halving_differ(tmp_path: Path) -> None:
    """So that the test above tells them apart."""
    t = double(maps.tensorflow_discriminator(3, merged=False))
    other = {name.replace("Conv1", "Conv1_down"): value for name, value in t.items()}
    one, two = (maps.tensorflow_outputs(held, pictures(), group=4) for held in (t, other))
    assert (one - two).abs().max() > 0.01


def test_published_networks_compare_groups_of_16(tmp_path: Path) -> None:
    path = write_official(tmp_path / "x.pkl", merged=False, mbstd_group_size=16)
    converted = convert(path)
    assert converted.config.discriminator.mbstd_group == 16
    t = double(maps.tensorflow_discriminator(3, merged=False))
    torch.testing.assert_close(outputs_of(converted, pictures()), maps.tensorflow_outputs(t, pictures(), group=8))
    assert converted.config.preset.startswith("progan-paper")


def test_labels_join_the_latent_before_it_is_normalised_and_are_guessed_after_the_score(tmp_path: Path) -> None:
    converted = convert(write_official(tmp_path / "x.pkl", merged=True, c_dim=3))
    config = converted.config
    assert (config.generator.z_dim, config.generator.c_dim, config.data.cond) == (maps.Z, 3, True)
    z, c = latents(3)
    t = double(maps.tensorflow_generator(2, merged=True, c_dim=3))
    torch.testing.assert_close(images_of(converted, "generator_ema", z, c), maps.tensorflow_images(t, z, c))
    t = double(maps.tensorflow_discriminator(3, merged=True, c_dim=3))
    torch.testing.assert_close(outputs_of(converted, pictures()), maps.tensorflow_outputs(t, pictures(), group=4))


@pytest.mark.parametrize(
    ("settings", "options"),
    [({"use_pixelnorm": False}, {"pixelnorm": False}), ({"use_leakyrelu": False}, {"leaky": False})],
)
def test_ablated_generators_compute_what_is_published(
    tmp_path: Path, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    t = maps.tensorflow_generator(2, merged=False)
    path = write(tmp_path / "x.pkl", t, maps.tensorflow_discriminator(3, merged=False), t, **settings)
    z, _ = latents()
    converted = convert(path)
    expected = maps.tensorflow_images(double(t), z, None, **options)
    torch.testing.assert_close(images_of(converted, "generator_ema", z), expected)
    assert ("discriminator" in converted.networks) is ("use_leakyrelu" not in settings)


def test_weights_without_a_run_time_scale_are_taken_as_they_are(tmp_path: Path) -> None:
    """At unit gain: He's constants are then in the weights."""
    t = maps.tensorflow_generator(2, merged=False)
    scaled = dict(t)
    for name, value in t.items():
        if name.endswith("weight"):
            gain = 1 if "ToRGB" in name else maps.SQRT2 / 4 if "Dense" in name else maps.SQRT2
            scaled[name] = tf.he(value, gain)
    path = write(tmp_path / "x.pkl", scaled, maps.tensorflow_discriminator(3, merged=False), scaled, use_wscale=False)
    z, _ = latents()
    expected = maps.tensorflow_images(double(t), z, None)
    torch.testing.assert_close(images_of(convert(path), "generator_ema", z), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lod", [1.0, 2.5])
def test_the_level_of_detail_of_a_file_is_that_of_its_pictures(tmp_path: Path, lod: float) -> None:
    """2.5 is beyond the base grid, which is 2 halvings from 16 pixels."""
    Gs = maps.tensorflow_generator(2, merged=True) | {"lod": torch.tensor(lod)}
    D = maps.tensorflow_discriminator(3, merged=True)
    path = write(tmp_path / "x.pkl", Gs, D, Gs)
    expected = min(lod, 2.0)
    converted = convert(path)
    assert (converted.networks["generator_ema"].lod, converted.record["lod"]) == (expected, expected)
    convert_to_snapshot(path, tmp_path / "snapshot")
    G = load_generator(tmp_path / "snapshot")
    z, _ = latents()
    pictures = maps.tensorflow_images(double(Gs), z, None, lod=expected)
    torch.testing.assert_close(G.double()(z), pictures)


def test_other_constants_of_pixelwise_normalization_are_told_or_refused(tmp_path: Path) -> None:
    half = convert(write_official(tmp_path / "x.pkl", merged=True, pixelnorm_epsilon=1e-4))
    assert half.notes == ("the generator was trained with 1e-4 added in pixelwise normalization, here it is 1e-8",)
    with pytest.raises(CheckpointError, match=r"was trained with pixelnorm_epsilon = '0\.1'"):
        convert(write_official(tmp_path / "y.pkl", merged=True, pixelnorm_epsilon=0.1))


def test_a_discriminator_with_both_kinds_of_halving_is_refused(tmp_path: Path) -> None:
    G, D = maps.tensorflow_generator(1, merged=True), maps.tensorflow_discriminator(3, merged=True)
    D = {name.replace("8x8/Conv1_down", "8x8/Conv1"): value for name, value in D.items()}
    with pytest.raises(CheckpointError, match="halves before the activation in some blocks"):
        convert(write(tmp_path / "x.pkl", G, D, G))


@pytest.mark.parametrize("name", ["4x4/Dense/bias", "8x8/Conv0_up/weight", "ToRGB_lod1/weight", "16x16/Conv1/bias"])
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    G = maps.tensorflow_generator(1, merged=True)
    del G[name]
    with pytest.raises(CheckpointError, match=r"got nothing for what is 'synthesis_network\.b"):
        convert(write(tmp_path / "x.pkl", G, maps.tensorflow_discriminator(3, merged=True), G))


def test_a_tensor_of_no_known_use_is_refused_by_name(tmp_path: Path) -> None:
    G = maps.tensorflow_generator(1, merged=True) | {"8x8/Noise/weight": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"got tensor '8x8/Noise/weight' of shape \[3\]"):
        convert(write(tmp_path / "x.pkl", G, maps.tensorflow_discriminator(3, merged=True), G))


def test_widths_that_follow_no_rule_are_refused(tmp_path: Path) -> None:
    G = maps.tensorflow_generator(1, merged=True)
    G["16x16/Conv1/weight"] = torch.randn(3, 3, 9, 9)
    with pytest.raises(CheckpointError, match=r"layers have \[6, 6, 9\] channels"):
        convert(write(tmp_path / "x.pkl", G, maps.tensorflow_discriminator(3, merged=True), G))


def test_a_small_file_that_describes_a_huge_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    """Layers of 100,000 channels by their shapes; their weights would take 360 GB each."""
    G = maps.tensorflow_generator(1, merged=True)
    for name in ("4x4/Conv", "8x8/Conv1", "16x16/Conv1"):
        G[f"{name}/weight"] = torch.zeros(1, 1, 1, 100_000)
    with pytest.raises(CheckpointError, match="describe a network of"):
        convert(write(tmp_path / "x.pkl", G, maps.tensorflow_discriminator(3, merged=True), G))


# genforce


@pytest.mark.parametrize("is_training_file", [False, True])
def test_a_file_of_genforce_computes_what_it_publishes(tmp_path: Path, is_training_file: bool) -> None:
    """Its networks are the published ones: groups of 16, of which a batch of 8 is one, and halving after activation."""
    t = maps.tensorflow_discriminator(3, merged=False)
    smooth = maps.genforce_generator(2)
    models = {
        "generator": maps.genforce_generator(1),
        "discriminator": maps.genforce_discriminator(t),
        "generator_smooth": smooth,
    }
    content = {"models": models, "running_metadata": {"iter": 3}} if is_training_file else models
    path = write_torch(tmp_path / "x.pth", content)
    assert (identify(path).layout, identify(path).room) == ("genforce", "progan")
    converted = convert(path)
    z, _ = latents()
    torch.testing.assert_close(images_of(converted, "generator_ema", z), maps.genforce_images(double(smooth), z))
    assert converted.config.discriminator.mbstd_group == 16
    expected = maps.tensorflow_outputs(double(t), pictures(), group=8)
    torch.testing.assert_close(outputs_of(converted, pictures()), expected)


def test_a_generator_of_genforce_alone_is_read(tmp_path: Path) -> None:
    converted = convert(write_torch(tmp_path / "x.pth", maps.genforce_generator(2)))
    assert set(converted.networks) == {"generator_ema"}
    assert (converted.config.generator.z_dim, converted.config.discriminator.channel_max) == (maps.Z, 6)


def test_seeded_pictures_of_a_converted_file_are_those_of_its_program(tmp_path: Path) -> None:
    """z of seed 5 is numpy's, as in NVIDIA's scripts."""
    convert_to_snapshot(write_official(tmp_path / "x.pkl", merged=False), tmp_path / "snapshot")
    G = load_generator(tmp_path / "snapshot")
    z = torch.from_numpy(np.random.RandomState(5).randn(1, maps.Z)).float()
    t = double(maps.tensorflow_generator(2, merged=False))
    torch.testing.assert_close(G(z).double(), maps.tensorflow_images(t, z.double(), None), rtol=1e-4, atol=1e-4)
