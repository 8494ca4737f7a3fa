"""Every number of the presets against the tables of the paper and of the official settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from limner.config import RunConfig
from limner.papers.base import PresetRequest
from limner.papers.stylegan import PRESETS, Discriminator, Generator, ObjectiveConfig

NAMES = [
    *("stylegan-ffhq-1024", "stylegan-celebahq-1024", "stylegan-lsun-256"),
    *(f"stylegan-config-{row}" for row in "bcdef"),
    *("stylegan-mixing-50", "stylegan-mixing-100", "stylegan2-config-a", "stylegan-tutorial-64", "stylegan-tiny"),
]
OFFICIAL = NAMES[:-2]

# Official training: processes -> total batch by resolution.
BATCHES = {
    1: {8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4, 1024: 4},
    2: {8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 8, 1024: 8},
    4: {8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 16, 512: 16, 1024: 16},
    8: {8: 256, 16: 128, 32: 64, 64: 32, 128: 32, 256: 32, 512: 32, 1024: 32},
}
LR = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}

# StyleGAN paper, Table 1: mapping layers, styles, constant input, noise, pixel norm, instance norm, mixing.
TABLE_1 = {
    "b": (0, False, False, False, True, False, 0),
    "c": (8, True, False, False, False, True, 0),
    "d": (8, True, True, False, False, True, 0),
    "e": (8, True, True, True, False, True, 0),
    "f": (8, True, True, True, False, True, 0.9),
}


def build(name: str, resolution: int | None = None, **request: Any) -> RunConfig:
    size = None if resolution is None else (resolution, resolution)
    return PRESETS[name].build(PresetRequest(resolution=size, **request))


def test_the_room_has_the_presets_it_names() -> None:
    assert list(PRESETS) == NAMES


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("name", ["stylegan-ffhq-1024", "stylegan-celebahq-1024", "stylegan-config-d"])
def test_batches_are_those_of_the_official_table_for_that_many_processes(name: str, processes: int) -> None:
    config = build(name, num_processes=processes)
    expected = BATCHES[max(count for count in BATCHES if count <= processes)]
    assert config.schedule.batch_by_resolution == expected
    assert config.batch == expected[1024]


@pytest.mark.parametrize("processes", [1, 8])
def test_stylegan2_trained_its_baseline_with_one_table_of_batches(processes: int) -> None:
    config = build("stylegan2-config-a", num_processes=processes)
    assert config.schedule.batch_by_resolution == BATCHES[8]
    assert config.batch == 32


@pytest.mark.parametrize("name", OFFICIAL)
def test_what_all_official_runs_share(name: str) -> None:
    config = build(name)
    generator, discriminator, schedule = config.generator, config.discriminator, config.schedule
    assert (config.total_kimg, schedule.stable_kimg, schedule.fade_kimg) == (25000, 600, 600)
    assert (schedule.grow, schedule.initial_resolution, schedule.reset_optimizers) == (True, 8, True)
    assert schedule.lr_rampup_kimg == 0
    optimizer = config.optimizer
    assert (optimizer.g_lr, optimizer.d_lr) == (0.001, 0.001)
    assert (optimizer.beta1, optimizer.beta2, optimizer.eps) == (0, 0.99, 1e-8)
    assert (config.ema.kimg, config.ema.rampup) == (10, None)
    assert (generator.z_dim, generator.w_dim) == (512, 512)
    assert generator.channel_base == discriminator.channel_base == 16384
    assert generator.channel_max == discriminator.channel_max == 512
    assert (generator.mapping_lr_multiplier, generator.w_avg_beta) == (0.01, 0.995)
    assert generator.blur
    assert discriminator.blur
    assert (discriminator.mbstd_group, discriminator.mbstd_features) == (4, 1)
    assert (config.objective.max_latents, config.objective.mixing_scope) == (2, "batch")
    assert config.augment.mode == "none"


def test_learning_rates_rise_with_resolution_and_stop_at_a_five_hundredth_for_celeba_hq() -> None:
    assert build("stylegan-ffhq-1024").schedule.lr_by_resolution == LR
    assert build("stylegan2-config-a").schedule.lr_by_resolution == LR
    assert build("stylegan-lsun-256").schedule.lr_by_resolution == {128: 0.0015, 256: 0.002}
    capped = build("stylegan-celebahq-1024").schedule.lr_by_resolution
    assert capped == {128: 0.0015, 256: 0.002, 512: 0.002, 1024: 0.002}


def test_faces_are_mirrored_and_bedrooms_are_not() -> None:
    mirrored = {name: build(name).data.mirror for name in OFFICIAL}
    assert [name for name in OFFICIAL if not mirrored[name]] == ["stylegan-lsun-256", "stylegan2-config-a"]


def test_losses_are_those_of_the_data_sets() -> None:
    logistic = ObjectiveConfig(loss="logistic", r1_gamma=10, style_mixing_prob=0.9)
    wgan_gp = ObjectiveConfig(loss="wgan", r1_gamma=0, gp_weight=10, drift=0.001, style_mixing_prob=0.9)
    for name in ("stylegan-ffhq-1024", "stylegan-lsun-256", "stylegan2-config-a", "stylegan-config-f"):
        assert build(name).objective == logistic
    assert build("stylegan-celebahq-1024").objective == wgan_gp


@pytest.mark.parametrize("row", TABLE_1)
def test_a_rung_has_the_parts_of_its_row(row: str) -> None:
    config = build(f"stylegan-config-{row}")
    generator = config.generator
    assert (
        generator.mapping_layers,
        generator.use_styles,
        generator.const_input,
        generator.use_noise,
        generator.pixel_norm,
        generator.instance_norm,
        config.objective.style_mixing_prob,
    ) == TABLE_1[row]


@pytest.mark.parametrize("row", TABLE_1)
def test_rungs_differ_in_generator_and_mixing_alone(row: str) -> None:
    rung, last = build(f"stylegan-config-{row}"), build("stylegan-config-f")
    same = {"preset": "", "generator": last.generator, "objective": last.objective}
    assert dataclasses.replace(rung, **same) == dataclasses.replace(last, preset="")


@pytest.mark.parametrize("percentage", [50, 100])
def test_table_2_differs_in_the_share_of_mixed_pictures_alone(percentage: int) -> None:
    config, last = build(f"stylegan-mixing-{percentage}"), build("stylegan-config-f")
    assert config.objective == dataclasses.replace(last.objective, style_mixing_prob=percentage / 100)
    assert dataclasses.replace(config, preset=last.preset, objective=last.objective) == last


def test_the_tutorial_s_numbers_are_those_of_the_scripts() -> None:
    config = build("stylegan-tutorial-64")
    assert config.schedule.batch_by_resolution == {8: 128, 16: 128, 32: 64, 64: 32}
    assert build("stylegan-tutorial-64", num_processes=2).schedule.batch_by_resolution[8] == 256
    assert (config.schedule.stable_kimg, config.schedule.fade_kimg, config.total_kimg) == (600, 600, 3 * 1200 + 600)
    assert (config.optimizer.g_lr, config.optimizer.beta1, config.optimizer.beta2) == (0.001, 0, 0.99)
    assert config.schedule.lr_by_resolution == {}
    assert (config.generator.mapping_layers, config.generator.mapping_lr_multiplier) == (8, 0.01)
    objective = config.objective
    assert (objective.loss, objective.gp_weight, objective.gp_target, objective.drift) == ("wgan", 10, 1, 0.001)
    assert (objective.r1_gamma, objective.style_mixing_prob) == (0, 0)
    assert config.discriminator.mbstd_group is None


@pytest.mark.parametrize("batch", [None, 8])
def test_the_tutorial_s_average_decays_by_a_thousandth_a_step(batch: int | None) -> None:
    config = build("stylegan-tutorial-64", batch=batch)
    assert 0.5 ** (config.batch / (config.ema.kimg * 1000)) == pytest.approx(0.999)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resolution", [32, 64, 512])
def test_at_another_resolution_a_preset_keeps_the_width_of_its_finest_layer(name: str, resolution: int) -> None:
    native, other = build(name), build(name, resolution)
    native_side = native.generator.img_resolution[0]
    assert other.generator.channel_base / resolution == native.generator.channel_base / native_side
    assert other.discriminator.channel_base == other.generator.channel_base
    schedule = other.schedule
    assert list(schedule.batch_by_resolution) == [side for side in BATCHES[1] if side <= resolution]
    assert set(schedule.lr_by_resolution) <= set(schedule.batch_by_resolution)
    assert other.batch == schedule.batch_by_resolution[resolution]
    if name in OFFICIAL:
        assert (schedule.stable_kimg, other.total_kimg) == (600, 25000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resolution", [4, 8, 32, 256])
def test_a_run_of_another_length_grows_in_proportion_and_always_ends_at_full_resolution(
    name: str, resolution: int
) -> None:
    whole, short = build(name, resolution), build(name, resolution, total_kimg=5.0)
    assert short.total_kimg == 5
    assert short.ema.rampup == 0.05
    assert short.ema.kimg == whole.ema.kimg
    factor = 5 / whole.total_kimg
    assert short.schedule.stable_kimg == pytest.approx(whole.schedule.stable_kimg * factor)
    assert short.schedule.fade_kimg == pytest.approx(whole.schedule.fade_kimg * factor)
    for config in (whole, short):
        schedule = config.schedule
        assert schedule.initial_resolution == min(8, resolution)
        num_steps = (resolution // schedule.initial_resolution).bit_length() - 1
        assert num_steps * (schedule.stable_kimg + schedule.fade_kimg) < config.total_kimg


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_that_is_asked_for_holds_at_every_resolution(name: str) -> None:
    config = build(name, 64, batch=24, num_processes=2)
    assert config.batch == 24
    assert config.schedule.batch_by_resolution == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds_for_a_picture_of_any_shape_with_labels(name: str) -> None:
    request = PresetRequest(resolution=(16, 24), channels=1, c_dim=3, batch=8)
    config = PRESETS[name].build(request)
    assert (config.batch, config.data.cond, config.data.c_dim) == (8, True, 3)
    assert (config.data.channels, config.data.resolution) == (1, (16, 24))
    networks = Generator(config.generator), Discriminator(config.discriminator)
    assert all((n.img_resolution, n.img_channels, n.c_dim) == ((16, 24), 1, 3) for n in networks)


def test_the_tiny_preset_is_small_enough_for_a_processor() -> None:
    config = build("stylegan-tiny")
    counts = [
        sum(parameter.numel() for parameter in network.parameters())
        for network in (Generator(config.generator), Discriminator(config.discriminator))
    ]
    assert max(counts) < 1_000_000
