"""Every number of the presets against the tables of the official settings, and the ladder against the paper's table."""

from __future__ import annotations

import math
from typing import Any

import pytest

from limner.config import RunConfig, difference, with_changes
from limner.papers.base import PresetRequest
from limner.papers.progan import LADDERS, PRESETS, Discriminator, Generator
from limner.training.schedule import batches, check_schedule, moment, resolutions

# Official settings by number of processes: total batch by resolution, learning rate by resolution (else 0.001).
V2 = {
    1: ({4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4, 1024: 4}, {1024: 0.0015}),
    2: ({4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 8, 1024: 8}, {512: 0.0015, 1024: 0.002}),
    4: (
        {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 16, 512: 16, 1024: 16},
        {256: 0.0015, 512: 0.002, 1024: 0.003},
    ),
    8: (
        {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 32, 256: 32, 512: 32, 1024: 32},
        {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
    ),
}
V1 = {4: 16, 8: 16, 16: 16, 32: 16, 64: 16, 128: 16, 256: 14, 512: 6, 1024: 3}

#           native, kimg, stable = fade, ramp-up, channel base and max, latent, group, target, mirror
PUBLISHED = {
    "progan-celebahq-1024": (1024, 12000, 600, 0, 16384, 512, 512, 4, 1, True),
    "progan-paper-celebahq-1024": (1024, 19000, 800, 40, 16384, 512, 512, 16, 1, True),
    "progan-lsun-256": (256, 20000, 800, 40, 16384, 512, 512, 16, 1, True),
    "progan-cifar10-32": (32, 20000, 400, 0, 8192, 128, 128, 16, 750, False),
}

# Table 1: what a row changes of the one above it (of row d for e); dotted path -> new value.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "b": ("a", {"schedule.grow": True}),
    "c": ("b", {"batch": 16}),
    "d": (
        "c",
        {
            "generator.normalization": "none",
            "generator.activation": "lrelu",
            "generator.tanh": False,
            "generator.normalize_latents": True,
            "discriminator.normalization": "none",
            "objective.drift": 0.001,
            "objective.d_repeats": 1,
            "optimizer.beta2": 0.99,
        },
    ),
    "e-star": ("d", {"discriminator.mbdisc_kernels": 100}),
    "e": ("d", {"discriminator.mbstd_features": 1}),
    "f": (
        "e",
        {
            "generator.equalized": True,
            "discriminator.equalized": True,
            "optimizer.g_lr": 0.001,
            "optimizer.d_lr": 0.001,
        },
    ),
    "g": ("f", {"generator.normalization": "pixel"}),
    "h": (
        "g",
        {
            "generator.z_dim": 512,
            "generator.channel_base": 16384,
            "discriminator.channel_base": 16384,
            "total_kimg": 20000,
        },
    ),
}


def build(name: str, resolution: int | None = None, **request: Any) -> RunConfig:
    size = None if resolution is None else (resolution, resolution)
    return PRESETS[name].build(PresetRequest(resolution=size, **request))


def test_the_room_has_the_presets_it_names() -> None:
    assert list(PRESETS) == [
        *PUBLISHED,
        "stylegan-config-a",
        *(f"progan-{row}" for row in ("a", "b", "c", "d", "e-star", "e", "f", "g", "h")),
        "progan-tiny",
    ]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_preset_has_the_numbers_of_its_table(name: str) -> None:
    config = build(name)
    generator, discriminator, schedule = config.generator, config.discriminator, config.schedule
    assert (
        config.data.resolution[0],
        config.total_kimg,
        schedule.stable_kimg,
        schedule.lr_rampup_kimg,
        generator.channel_base,
        generator.channel_max,
        generator.z_dim,
        discriminator.mbstd_group,
        config.objective.gp_target,
        config.data.mirror,
    ) == PUBLISHED[name]
    assert schedule.fade_kimg == schedule.stable_kimg
    assert (discriminator.channel_base, discriminator.channel_max) == (generator.channel_base, generator.channel_max)
    assert (schedule.grow, schedule.initial_resolution, schedule.reset_optimizers) == (True, 4, True)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_all_official_runs_share(name: str) -> None:
    config = build(name)
    generator, discriminator, objective = config.generator, config.discriminator, config.objective
    assert (generator.normalization, generator.activation, generator.tanh) == ("pixel", "lrelu", False)
    assert generator.normalize_latents
    assert generator.equalized
    assert discriminator.equalized
    assert (discriminator.normalization, discriminator.mbstd_features, discriminator.mbdisc_kernels) == ("none", 1, 0)
    assert discriminator.fused_scale is (name == "progan-celebahq-1024")
    assert (objective.loss, objective.gp_weight, objective.drift, objective.d_repeats) == ("wgan", 10, 0.001, 1)
    assert (objective.r1_gamma, objective.r2_gamma, objective.class_weight) == (0, 0, 1)
    assert (config.optimizer.g_lr, config.optimizer.d_lr) == (0.001, 0.001)
    assert (config.optimizer.beta1, config.optimizer.beta2, config.optimizer.eps) == (0, 0.99, 1e-8)
    assert config.augment.mode == "none"


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7, 8, 16])
def test_batches_and_learning_rates_are_those_of_the_processes_at_hand(processes: int) -> None:
    """Of the largest published number of processes that is not above the run's."""
    batch, lr = V2[max(count for count in V2 if count <= processes)]
    config = build("progan-celebahq-1024", num_processes=processes)
    assert config.schedule.batch_by_resolution == batch
    assert config.schedule.lr_by_resolution == lr
    assert config.batch == batch[1024]


def test_the_paper_s_run_shrinks_its_batch_as_it_grows() -> None:
    config = build("progan-paper-celebahq-1024", num_processes=8)
    assert config.schedule.batch_by_resolution == V1
    assert config.batch == 3
    assert not config.schedule.lr_by_resolution
    assert build("progan-lsun-256").schedule.batch_by_resolution == {at: V1[at] for at in V1 if at <= 256}
    assert build("progan-cifar10-32").batch == 16
    assert not build("progan-cifar10-32").schedule.batch_by_resolution


@pytest.mark.parametrize(("name", "kimg"), [("progan-celebahq-1024", 9600), ("progan-paper-celebahq-1024", 12800)])
def test_growing_from_4_to_1024_pixels_takes_eight_stages(name: str, kimg: int) -> None:
    config = build(name)
    check_schedule(config)
    assert moment(config, 0).lod == 8
    assert moment(config, kimg * 1000 - 1).lod > 0
    assert moment(config, kimg * 1000).lod == 0


def test_the_average_of_weights_decays_by_a_thousandth_a_step() -> None:
    """0.5 ** (images / half-life) = 0.999 at the final batch; in Table 1 at 16 images in every row."""
    for processes, batch in ((1, 4), (2, 8), (4, 16), (8, 32)):
        half_life = build("progan-celebahq-1024", num_processes=processes).ema.kimg * 1000
        assert 0.5 ** (batch / half_life) == pytest.approx(0.999)
    # decay of the average, images in which it happens: a step of G follows so many updates of D
    published = {"a": (20, 5 * 64), "b": (20, 5 * 64), "c": (5, 5 * 16), "d": (1, 16), "h": (1, 16)}
    for row, (steps, images) in published.items():
        config = build(f"progan-{row}")
        assert config.batch * config.objective.d_repeats == images
        assert 0.5 ** (images / (config.ema.kimg * 1000)) == pytest.approx(0.999**steps), row


def test_the_baseline_of_table_1_is_gulrajani_s() -> None:
    config = build("progan-a")
    generator, discriminator = config.generator, config.discriminator
    assert (generator.normalization, generator.activation, generator.tanh) == ("batch", "relu", True)
    assert not generator.normalize_latents
    assert not generator.equalized
    assert not discriminator.equalized
    assert (discriminator.normalization, discriminator.mbstd_features, discriminator.mbdisc_kernels) == ("layer", 0, 0)
    assert (generator.channel_base, generator.channel_max, generator.z_dim) == (4096, 512, 128)
    assert (config.objective.drift, config.objective.d_repeats, config.objective.gp_weight) == (0, 5, 10)
    assert (config.optimizer.g_lr, config.optimizer.beta2) == (0.0001, 0.9)
    assert (config.batch, config.total_kimg, config.schedule.grow) == (64, 10000, False)
    assert (config.data.resolution, config.schedule.lr_rampup_kimg) == ((128, 128), 0)
    grown = build("progan-b").schedule
    assert (grown.stable_kimg, grown.fade_kimg, grown.initial_resolution) == (800, 800, 4)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("resolution", [None, 32])
def test_a_row_of_table_1_is_the_one_it_builds_on_with_its_own_difference(row: str, resolution: int | None) -> None:
    above, changes = ROWS[row]
    before, after = build(f"progan-{above}", resolution), build(f"progan-{row}", resolution)
    found = {path: new for path, _, new in difference(before, after) if path != "preset"}
    scale = 1 if resolution is None else 128 // resolution
    expected = {path: value // scale if path.endswith("channel_base") else value for path, value in changes.items()}
    assert found == expected


def test_the_ladder_goes_through_the_rows_of_the_table_with_their_scores() -> None:
    (ladder,) = LADDERS.values()
    assert "from memory" in ladder.source
    assert [rung.preset for rung in ladder.rungs] == [
        f"progan-{row}" for row in ("a", "b", "c", "d", "e-star", "e", "f", "g", "h")
    ]
    assert [rung.row.split()[0] for rung in ladder.rungs] == [
        "(a)",
        "(b)",
        "(c)",
        "(d)",
        "(e*)",
        "(e)",
        "(f)",
        "(g)",
        "(h)",
    ]
    assert [rung.published["SWD, CelebA"] for rung in ladder.rungs] == [
        *(9.28, 4.28, 46.23, 8.07, 9.84, 7.04, 4.39, 3.56, 2.96),
    ]
    for rung in ladder.rungs:
        assert list(rung.published) == ["SWD, CelebA", "MS-SSIM, CelebA", "SWD, LSUN bedroom", "MS-SSIM, LSUN bedroom"]
        assert f"SWD {rung.published['SWD, CelebA']}e-3" in PRESETS[rung.preset].published
        assert "from memory" in PRESETS[rung.preset].published


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("resolution", [4, 16, 32, 64, 2048])
def test_a_preset_at_another_resolution_keeps_its_finest_width_and_can_be_trained(name: str, resolution: int) -> None:
    native, other = build(name), build(name, resolution)
    native_side = native.data.resolution[0]
    assert other.generator.channel_base * native_side == native.generator.channel_base * resolution
    assert other.schedule.initial_resolution <= resolution
    visited = resolutions(other.schedule, resolution)
    assert set(other.schedule.batch_by_resolution) in (set(), set(visited))
    assert other.batch == other.schedule.batch_by_resolution.get(resolution, other.batch)
    long_enough = with_changes(other, {"total_kimg": 30000})
    check_schedule(long_enough)


def test_a_batch_of_one_s_own_holds_at_every_resolution() -> None:
    config = build("progan-celebahq-1024", 64, batch=24)
    assert (config.batch, config.schedule.batch_by_resolution, batches(config)) == (24, {}, [24])
    assert 0.5 ** (24 / (config.ema.kimg * 1000)) == pytest.approx(0.999)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "progan-a"])
def test_a_run_of_another_length_grows_in_proportion(name: str) -> None:
    native = build(name, 32)
    for factor in (0.01, 0.5, 2):
        config = build(name, 32, total_kimg=native.total_kimg * factor)
        check_schedule(config)
        for setting in ("stable_kimg", "fade_kimg", "lr_rampup_kimg"):
            assert getattr(config.schedule, setting) == pytest.approx(getattr(native.schedule, setting) * factor)
        assert config.total_kimg == native.total_kimg * factor
        for part in (0.1, 0.5, 0.9):
            then, now = (moment(c, round(c.total_kimg * 1000 * part)).lod for c in (native, config))
            assert now == pytest.approx(then, abs=1e-2)


def test_a_run_cut_short_averages_over_a_twentieth_of_what_it_has_seen() -> None:
    assert build("progan-f").ema.rampup is None
    assert build("progan-f", total_kimg=10000).ema.rampup is None
    assert build("progan-f", total_kimg=20).ema.rampup == 0.05


@pytest.mark.parametrize("name", PRESETS)
def test_growing_can_be_switched_off(name: str) -> None:
    config = with_changes(build(name, 32), {"schedule.grow": "false"})
    check_schedule(config)
    assert {moment(config, nimg).lod for nimg in (0, 10**4, 10**7)} == {0.0}
    assert {moment(config, nimg).batch for nimg in (0, 10**4, 10**7)} == {config.batch}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_for_a_picture_of_any_shape_with_labels(name: str) -> None:
    config = PRESETS[name].build(PresetRequest(resolution=(16, 24), channels=1, c_dim=3, batch=8))
    assert (config.batch, config.data.cond, config.data.c_dim) == (8, True, 3)
    networks = Generator(config.generator), Discriminator(config.discriminator)
    assert all((n.img_resolution, n.img_channels, n.c_dim) == ((16, 24), 1, 3) for n in networks)


def test_the_tiny_preset_is_small_enough_for_a_processor_and_grows_early() -> None:
    config = build("progan-tiny")
    networks = Generator(config.generator), Discriminator(config.discriminator)
    assert max(sum(p.numel() for p in network.parameters()) for network in networks) < 1_000_000
    assert resolutions(config.schedule, 32) == [8, 16, 32]
    assert moment(config, round(config.total_kimg * 500)).lod == 0
    assert math.isclose(config.ema.kimg, 8 * math.log(0.5) / math.log(0.999) / 1000)
